-- Topics, the groups that read them, messages, and parcels: what a group has still to handle.
-- A parcel names many messages of one group, so that handing over, renewing and acknowledging cost rows per batch and not per
-- message. Nobody owns one that waits. One that is leased has an owner and is due again when its lease ends; its id is new for
-- every lease, so that the id is the fencing token. No foreign keys: their row locks would make publishers wait for each other.
create table {schema}.{topic} (
  id integer generated always as identity primary key,
  name text not null unique,
  -- Null: a plain topic.
  partitions integer,
  -- Groups ever created. A message remembers how many of them its publisher saw.
  epoch integer not null default 0
);
create table {schema}.{group} (
  id integer generated always as identity primary key,
  topic_id integer not null,
  name text not null,
  ordinal integer not null,
  ephemeral boolean not null,
  seen_at timestamptz not null default statement_timestamp(),
  start_after bigint not null,
  start_at timestamptz not null,
  -- Messages published by those who did not see the group may still commit; what `snapshot` shows has been added.
  pending boolean not null,
  snapshot pg_snapshot,
  horizon xid8,
  unique (topic_id, name)
);
create table {schema}.{message} (
  topic_id integer not null,
  id bigint generated always as identity (cache 1),
  partition integer not null,
  epoch integer not null,
  transaction xid8 not null default pg_current_xact_id(),
  key text,
  headers text not null,
  payload bytea not null,
  published_at timestamptz not null default statement_timestamp(),
  primary key (topic_id, id)
) with (autovacuum_vacuum_scale_factor = 0.05);
create sequence {schema}.{parcel_id};
create table {schema}.{parcel} (
  id bigint primary key default nextval('{schema}.{parcel_id}'),
  group_id integer not null,
  partition integer not null,
  -- The lowest of the ids when it was made.
  first bigint not null,
  ids bigint[] not null,
  due_at timestamptz not null default '-infinity',
  owner uuid,
  attempt integer not null default 1,
  deliveries integer not null default 0,
  started bigint[]
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
create index on {schema}.{parcel} (group_id, partition, due_at, first);
create index on {schema}.{parcel} (group_id, first);
create table {schema}.{dead_letter} (
  id bigint generated always as identity primary key,
  topic_id integer not null,
  consumer text not null,
  position bigint not null,
  key text,
  headers text not null,
  payload bytea not null,
  reason text not null,
  history text not null,
  dead_lettered_at timestamptz not null default statement_timestamp(),
  unique (topic_id, consumer, position)
);

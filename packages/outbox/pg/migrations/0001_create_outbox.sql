-- Messages committed and not yet published, the lead of their relay, and what a transport refused.
-- The sequence must not cache: a cached id could be lower than one that is committed already.
create table {schema}.{table} (
  id bigint generated always as identity (cache 1) primary key,
  transport text not null,
  topic text not null,
  message_id text not null,
  key text,
  headers text not null,
  payload bytea not null,
  created_at timestamptz not null default statement_timestamp(),
  refused text
);
create table {schema}.{lead} (
  one boolean primary key default true check (one),
  owner text not null,
  token bigint not null,
  expires_at timestamptz not null
);

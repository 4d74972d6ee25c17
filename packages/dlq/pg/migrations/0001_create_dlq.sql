-- Messages that will not be retried.
create table {schema}.{table} (
  id text collate "C" primary key,
  message_id text,
  event text not null,
  topic text not null,
  consumer text not null,
  position text not null,
  source text,
  key text,
  content_type text,
  headers text not null,
  payload bytea not null,
  reason text not null,
  attempts integer not null,
  history text not null,
  dead_lettered_at timestamptz not null
);
create index on {schema}.{table} (event, consumer, dead_lettered_at);
-- By its hash: a key that somebody else's program chose may be longer than an index can hold.
create index on {schema}.{table} (consumer, topic, hashtextextended(key, 0));

-- Which messages a consumer has handled.
create table {schema}.{table} (
  consumer text not null,
  message_id text not null,
  entered_at timestamptz not null default statement_timestamp(),
  primary key (consumer, message_id)
);
create index on {schema}.{table} (entered_at);

-- Which messages a consumer has handled. The key is event and message id.
create table {schema}.{table} (
  consumer text not null,
  message_key text not null,
  entered_at timestamptz not null default statement_timestamp(),
  primary key (consumer, message_key)
);
create index on {schema}.{table} (entered_at);

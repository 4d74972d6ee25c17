-- Who is at a message, and which messages are done: until when the claim, or the memory of it, lasts.
create table {schema}.{table} (
  consumer text not null,
  message_key text not null,
  owner text not null,
  fence bigint not null,
  done boolean not null,
  until timestamptz not null,
  primary key (consumer, message_key)
) with (fillfactor = 70);
create index on {schema}.{table} (until);

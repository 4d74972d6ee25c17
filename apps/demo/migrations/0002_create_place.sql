-- The name of this database's messages: brokers outlive databases and are shared by several.
create table {schema}.place (name text not null);
insert into {schema}.place values ('demo-' || left(md5(random()::text || clock_timestamp()::text), 12));

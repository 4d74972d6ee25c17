-- Every line read, with what became of it: its number counts it once, its digest tells it from another input's line.
create table {schema}.lines (
  source text not null,
  number bigint not null,
  digest text not null,
  fate text not null check (fate in ('accepted', 'rejected', 'repeated')),
  reason text,
  primary key (source, number)
);
create table {schema}.orders (
  id text primary key,
  payload text not null,
  accepted_at timestamptz not null default statement_timestamp()
);
-- What services did. No key guards it on purpose: work done twice would be counted twice.
create table {schema}.effects (
  kind text not null check (kind in ('payment', 'reservation', 'cancellation', 'shipment')),
  order_id text not null,
  happened_at timestamptz not null default statement_timestamp()
);
create index on {schema}.effects (order_id);

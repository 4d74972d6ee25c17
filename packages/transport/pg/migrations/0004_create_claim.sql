-- Leases messages of a group to an owner: at most so many messages and bytes, at least one, in order of their ids. Where there
-- is nothing, one row without a message says in how many milliseconds there may be something; null: unknown.
-- Ordered: a partition in which somebody else holds a live lease is passed over, and nothing in it is skipped.
create function {schema}.{claim}(given_group integer, given_owner uuid, is_ordered boolean, max_parcels integer, max_messages integer, max_bytes bigint, lease_ms double precision)
returns table (lease bigint, message bigint, partition integer, attempt integer, deliveries integer, suspect boolean, key text, headers text, payload bytea, touched integer, wait_ms double precision)
language plpgsql as $$
#variable_conflict use_column
declare
  receiver {schema}.{group}%rowtype;
  last_partition integer;
  now_at timestamptz;
  picked bigint[];
  also bigint[];
begin
  select * into receiver from {schema}.{group} as found where found.id = given_group;
  if not found then
    raise exception 'the group is gone' using errcode = 'EV001';
  end if;
  select coalesce(topic.partitions, 1) - 1 into last_partition from {schema}.{topic} as topic where topic.id = receiver.topic_id;
  if receiver.ephemeral and receiver.seen_at < clock_timestamp() - interval '15 seconds' then
    update {schema}.{group} as seen set seen_at = clock_timestamp() where seen.id = given_group;
  end if;

  if is_ordered then
    -- One claim of a group at a time, and each with a snapshot that shows the one before it.
    perform from {schema}.{group} as locked where locked.id = given_group for update;
    now_at := clock_timestamp();
    -- A lease that is being settled or renewed is waited for: passing over it would break its partition's order.
    perform from {schema}.{parcel} as ended
      where ended.group_id = given_group and ended.partition between 0 and last_partition
        and ended.due_at > '-infinity' and ended.due_at <= now_at
      order by ended.id for update;
    select array_agg(free.id) into picked from generate_series(0, last_partition) as place (number)
      cross join lateral (
        (select ready.id, ready.first from {schema}.{parcel} as ready
          where ready.group_id = given_group and ready.partition = place.number and ready.due_at = '-infinity'
          order by ready.first limit max_parcels)
        union all
        (select due.id, due.first from {schema}.{parcel} as due
          where due.group_id = given_group and due.partition = place.number and due.due_at > '-infinity' and due.due_at <= now_at
          order by due.first limit max_parcels)
        order by first limit max_parcels
      ) as free
      where not exists (
        select from {schema}.{parcel} as live
        where live.group_id = given_group and live.partition = place.number and live.due_at > now_at and live.owner <> given_owner
      );
  else
    now_at := clock_timestamp();
    -- Retries and ended leases first: they are the older ones, and what is ready may never end.
    select array_agg(due.id) into picked from generate_series(0, last_partition) as place (number)
      cross join lateral (
        select parcel.id from {schema}.{parcel} as parcel
        where parcel.group_id = given_group and parcel.partition = place.number
          and parcel.due_at > '-infinity' and parcel.due_at <= now_at
        order by parcel.due_at, parcel.first limit max_parcels for update skip locked
      ) as due;
    if coalesce(cardinality(picked), 0) < max_parcels then
      select array_agg(ready.id) into also from generate_series(0, last_partition) as place (number)
        cross join lateral (
          select parcel.id from {schema}.{parcel} as parcel
          where parcel.group_id = given_group and parcel.partition = place.number and parcel.due_at = '-infinity'
          order by parcel.first limit max_parcels - coalesce(cardinality(picked), 0) for update skip locked
        ) as ready;
      picked := picked || also;
    end if;
  end if;

  if picked is null then
    return query select null::bigint, null::bigint, null::integer, null::integer, null::integer, null::boolean, null::text, null::text, null::bytea, null::integer,
      -- What is due and could not be had is locked, or its partition is taken: soon again.
      case when min(next.due_at) <= now_at then 20 else extract(epoch from min(next.due_at) - now_at)::double precision * 1000 end
      from generate_series(0, last_partition) as place (number)
      cross join lateral (
        select parcel.due_at from {schema}.{parcel} as parcel
        where parcel.group_id = given_group and parcel.partition = place.number
        order by parcel.due_at limit 1
      ) as next;
    return;
  end if;

  return query
  with counted as (
    select parcel.*, sum(cardinality(parcel.ids)) over (order by parcel.first, parcel.id) - cardinality(parcel.ids) as before
    from {schema}.{parcel} as parcel where parcel.id = any (picked)
  ), each as materialized (
    select counted.id as parcel, counted.partition, counted.deliveries + 1 as deliveries, counted.owner is not null as suspect,
      counted.attempt + case when counted.owner is not null and named.id = any (counted.started) then 1 else 0 end as attempt,
      message.id as message, message.key, message.headers, message.payload,
      row_number() over (order by message.id) as place,
      sum(octet_length(message.payload)) over (order by message.id) as bytes
    from counted cross join lateral unnest(counted.ids) as named (id)
    join {schema}.{message} as message on message.topic_id = receiver.topic_id and message.id = named.id
    where counted.before < max_messages
  ), taken as (
    -- Messages of one state that follow each other make one lease, so that leases of a partition never interleave.
    select each.*, row_number() over (partition by each.partition order by each.message)
        - row_number() over (partition by each.partition, each.attempt, each.deliveries, each.suspect order by each.message) as run,
      (row_number() over (partition by each.partition, each.attempt, each.deliveries, each.suspect order by each.message) - 1) / 128 as chunk
    from each where each.place = 1 or (each.place <= max_messages and each.bytes <= max_bytes)
  ), leased as materialized (
    select nextval('{schema}.{parcel_id}') as id, grouped.* from (
      select taken.partition, taken.attempt, taken.deliveries, taken.suspect, taken.run, taken.chunk,
        array_agg(taken.message order by taken.message) as ids
      from taken group by taken.partition, taken.attempt, taken.deliveries, taken.suspect, taken.run, taken.chunk
    ) as grouped
  ), added as (
    insert into {schema}.{parcel} (id, group_id, partition, first, ids, due_at, owner, attempt, deliveries)
    select leased.id, given_group, leased.partition, leased.ids[1], leased.ids,
      now_at + lease_ms * interval '1 millisecond', given_owner, leased.attempt, leased.deliveries
    from leased
  ), split as (
    select each.parcel, array_agg(each.message order by each.message) filter (where taken.message is null) as rest
    from each left join taken on taken.message = each.message
    group by each.parcel having count(taken.message) > 0
  ), kept as (
    update {schema}.{parcel} as parcel set ids = split.rest, first = split.rest[1]
    from split where parcel.id = split.parcel and split.rest is not null
  ), gone as (
    delete from {schema}.{parcel} as parcel using split where parcel.id = split.parcel and split.rest is null
  )
  select leased.id, taken.message, taken.partition, taken.attempt, taken.deliveries, taken.suspect,
    taken.key, taken.headers, taken.payload, (select count(*) from split)::integer, null::double precision
  from taken join leased using (partition, attempt, deliveries, suspect, run, chunk)
  order by taken.message;
end
$$;

-- Planned once per session and always by index: planning would cost more than running, and the tables may be empty when it happens.
-- Leases messages of a group to an owner: at most so many messages and bytes, at least one, in order of their ids. One row for
-- each lease: ids and sizes joined by commas, keys and headers as JSON arrays, payloads one behind the other; null keys: none has
-- one. Where there is nothing, one row without messages says in how many milliseconds there may be something; null: unknown.
-- Ordered: a partition in which somebody else holds a live lease is passed over, and nothing in it is skipped.
create function {schema}.{claim}(given_group integer, given_owner uuid, is_ordered boolean, max_parcels integer, max_messages integer, max_bytes bigint, lease_ms double precision)
returns table (lease bigint, partition integer, attempt integer, deliveries integer, suspect boolean, messages text, keys text, headers text, sizes text, payload bytea, touched integer, missing integer, wait_ms double precision)
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  receiver {schema}.{group}%rowtype;
  last_partition integer;
  now_at timestamptz;
  picked bigint[];
  also bigint[];
  whole {schema}.{parcel}%rowtype;
  wanted bigint[];
  wanted_count integer;
  taken_count integer;
begin
  select * into receiver from {schema}.{group} as found where found.id = given_group;
  if not found then
    raise exception 'the group is gone' using errcode = 'EV001';
  end if;
  select coalesce(topic.partitions, 1) - 1 into last_partition from {schema}.{topic} as topic where topic.id = receiver.topic_id;
  -- A claim that a crash of the server forgets was a lease that ended early: no need to wait for the disk.
  perform set_config('synchronous_commit', 'off', true);
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
    -- What is due and could not be had is locked, or its partition is taken: soon again.
    select case when min(next.due_at) <= now_at then 20 else extract(epoch from min(next.due_at) - now_at) * 1000 end into wait_ms
      from generate_series(0, last_partition) as place (number)
      cross join lateral (
        select parcel.due_at from {schema}.{parcel} as parcel
        where parcel.group_id = given_group and parcel.partition = place.number
        order by parcel.due_at limit 1
      ) as next;
    return next;
    return;
  end if;

  -- Under load a claim takes from one parcel that nobody held yet. That needs none of the work below.
  if cardinality(picked) = 1 then
    select * into whole from {schema}.{parcel} as parcel where parcel.id = picked[1];
    wanted := whole.ids[1:max_messages];
    wanted_count := cardinality(wanted);
    if whole.owner is null then
      select count(*)::integer, string_agg(sized.id::text, ','), case when count(sized.key) > 0 then json_agg(sized.key)::text end,
          '[' || string_agg(sized.headers, ',') || ']', string_agg(octet_length(sized.payload)::text, ','),
          string_agg(sized.payload, ''::bytea), wanted_count - coalesce(max(sized.found), 0)::integer
        into taken_count, messages, keys, headers, sizes, payload, missing
        from (
          select message.*, sum(octet_length(message.payload)) over (order by message.id) as bytes, count(*) over () as found
          from {schema}.{message} as message where message.topic_id = receiver.topic_id and message.id = any (wanted)
        ) as sized
        where sized.bytes <= max_bytes or sized.bytes = octet_length(sized.payload);
      if taken_count > 0 then
        lease := nextval('{schema}.{parcel_id}');
        partition := whole.partition;
        attempt := whole.attempt;
        deliveries := whole.deliveries + 1;
        suspect := false;
      end if;
      touched := 1;
      return next;
      if taken_count = wanted_count then
        if taken_count = cardinality(whole.ids) then
          update {schema}.{parcel} as parcel set id = lease, owner = given_owner, deliveries = whole.deliveries + 1,
            due_at = now_at + lease_ms * interval '1 millisecond' where parcel.id = whole.id;
          return;
        end if;
      else
        -- The bytes ended it, or somebody removed messages.
        select array_agg(message.id order by message.id) into wanted
          from {schema}.{message} as message where message.topic_id = receiver.topic_id and message.id = any (wanted);
        whole.ids := wanted || whole.ids[max_messages + 1:];
      end if;
      if taken_count > 0 then
        insert into {schema}.{parcel} (id, group_id, partition, first, ids, due_at, owner, attempt, deliveries) values (lease, given_group,
          whole.partition, whole.ids[1], whole.ids[1:taken_count], now_at + lease_ms * interval '1 millisecond', given_owner, whole.attempt, whole.deliveries + 1);
      end if;
      whole.ids := whole.ids[taken_count + 1:];
      if cardinality(whole.ids) > 0 then
        update {schema}.{parcel} as parcel set ids = whole.ids, first = whole.ids[1] where parcel.id = whole.id;
      else
        delete from {schema}.{parcel} as parcel where parcel.id = whole.id;
      end if;
      return;
    end if;
  end if;

  return query
  with counted as (
    select parcel.*, sum(cardinality(parcel.ids)) over (order by parcel.first, parcel.id) - cardinality(parcel.ids) as before
    from {schema}.{parcel} as parcel where parcel.id = any (picked)
  ), named as materialized (
    select counted.id as parcel, counted.partition, counted.deliveries + 1 as deliveries, counted.owner is not null as suspect,
      counted.attempt + case when counted.owner is not null and named.id = any (counted.started) then 1 else 0 end as attempt,
      named.id as message, row_number() over (order by named.id) as place
    from counted cross join lateral unnest(counted.ids) as named (id) where counted.before < max_messages
  ), sized as materialized (
    select named.*, message.key, message.headers, message.payload,
      sum(octet_length(message.payload)) over (order by named.message) as bytes
    from named join {schema}.{message} as message on message.topic_id = receiver.topic_id and message.id = named.message
    where named.place <= max_messages
  ), marked as (
    select sized.*, (sized.partition, sized.attempt, sized.deliveries, sized.suspect)
      is distinct from lag((sized.partition, sized.attempt, sized.deliveries, sized.suspect)) over (order by sized.partition, sized.message) as starts
    from sized where sized.bytes <= max_bytes or sized.bytes = octet_length(sized.payload)
  ), taken as materialized (
    -- Messages of one state that follow each other make one lease, so that leases of a partition never interleave.
    select marked.*, count(*) filter (where marked.starts) over (order by marked.partition, marked.message) as run from marked
  ), leased as materialized (
    select nextval('{schema}.{parcel_id}') as id, grouped.* from (
      select min(taken.partition) as partition, min(taken.attempt) as attempt, min(taken.deliveries) as deliveries, bool_or(taken.suspect) as suspect,
        array_agg(taken.message order by taken.message) as ids, json_agg(taken.key order by taken.message)::text as keys,
        '[' || string_agg(taken.headers, ',' order by taken.message) || ']' as headers,
        string_agg(octet_length(taken.payload)::text, ',' order by taken.message) as sizes,
        string_agg(taken.payload, ''::bytea order by taken.message) as payload
      from taken group by taken.run
    ) as grouped
  ), added as (
    insert into {schema}.{parcel} (id, group_id, partition, first, ids, due_at, owner, attempt, deliveries)
    select leased.id, given_group, leased.partition, leased.ids[1], leased.ids,
      now_at + lease_ms * interval '1 millisecond', given_owner, leased.attempt, leased.deliveries
    from leased
  ), decided as (
    -- What is named and does not exist any more is given to nobody and not kept.
    select named.parcel, named.message, taken.message is null and (named.place > max_messages or sized.message is not null) as stays,
      named.place <= max_messages and sized.message is null as missing
    from named left join sized using (message) left join taken using (message)
  ), split as materialized (
    select decided.parcel, array_agg(decided.message order by decided.message) filter (where decided.stays) as rest,
      count(*) filter (where decided.missing) as missing
    from decided group by decided.parcel having not bool_and(decided.stays)
  ), kept as (
    update {schema}.{parcel} as parcel set ids = split.rest, first = split.rest[1]
    from split where parcel.id = split.parcel and split.rest is not null
  ), gone as (
    delete from {schema}.{parcel} as parcel using split where parcel.id = split.parcel and split.rest is null
  )
  select leased.id, leased.partition, leased.attempt, leased.deliveries, leased.suspect, array_to_string(leased.ids, ','),
    leased.keys, leased.headers, leased.sizes, leased.payload, total.touched, total.missing, null::double precision
  from (select count(*)::integer as touched, sum(split.missing)::integer as missing from split) as total
  left join leased on true
  order by leased.ids[1];
end
$$;

-- A lease and its owner fence: ids of leases alone could come again after a crash of the server.
-- Acknowledges messages, given as columns; returns the places of those whose lease was lost.
create function {schema}.{acknowledge}(given_owner uuid, leases bigint[], messages bigint[])
returns setof integer language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
  return query
  with held as materialized (
    select parcel.id, parcel.ids from {schema}.{parcel} as parcel where parcel.id = any (leases) and parcel.owner = given_owner order by parcel.id for update
  ), given as materialized (
    select * from unnest(leases, messages) with ordinality as given (lease, message, place)
  ), remaining as materialized (
    select held.id, array_agg(named.id order by named.id) filter (where given.message is null) as ids, count(given.message) as acknowledged
    from held cross join lateral unnest(held.ids) as named (id)
    left join given on given.lease = held.id and given.message = named.id
    group by held.id
  ), kept as (
    update {schema}.{parcel} as parcel set ids = remaining.ids
    from remaining where parcel.id = remaining.id and remaining.ids is not null and remaining.acknowledged > 0
  ), gone as (
    delete from {schema}.{parcel} as parcel using remaining where parcel.id = remaining.id and remaining.ids is null
  )
  select given.place::integer from given
  where (select sum(remaining.acknowledged) from remaining) is distinct from cardinality(messages)
    and not exists (select from held where held.id = given.lease and given.message = any (held.ids));
end
$$;
-- Settles messages, given as columns, in one change; returns the places of those whose lease was lost.
-- What: ack, release, retry, started, deadLetter. Attempts count for release and retry, delays for retry.
create function {schema}.{settle}(given_group integer, given_owner uuid, leases bigint[], messages bigint[], whats text[], attempts integer[], delays double precision[], reasons text[], histories text[])
returns setof integer language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
  perform from {schema}.{parcel} as parcel where parcel.id = any (leases) and parcel.owner = given_owner order by parcel.id for update;
  return query
  with given as (
    select * from unnest(leases, messages, whats, attempts, delays, reasons, histories) with ordinality
      as given (lease, message, what, attempt, delay, reason, history, place)
  ), held as materialized (
    select parcel.* from {schema}.{parcel} as parcel where parcel.id = any (leases) and parcel.owner = given_owner
  ), valid as materialized (
    select given.*, held.partition, held.deliveries from given join held on held.id = given.lease and given.message = any (held.ids)
  ), decided as (
    select valid.lease, array_agg(valid.message) filter (where valid.what <> 'started') as settled,
      array_agg(valid.message) filter (where valid.what = 'started') as started
    from valid group by valid.lease
  ), remaining as (
    select parcel.id, coalesce(parcel.started || decided.started, parcel.started, decided.started) as started,
      array(select named.id from unnest(parcel.ids) as named (id) where named.id <> all (coalesce(decided.settled, '{}'))) as ids
    from decided join held as parcel on parcel.id = decided.lease
  ), kept as (
    update {schema}.{parcel} as parcel set ids = remaining.ids, started = remaining.started
    from remaining where parcel.id = remaining.id and cardinality(remaining.ids) > 0
  ), gone as (
    delete from {schema}.{parcel} as parcel using remaining where parcel.id = remaining.id and cardinality(remaining.ids) = 0
  ), back as (
    insert into {schema}.{parcel} (group_id, partition, first, ids, due_at, attempt, deliveries)
    select given_group, valid.partition, valid.message, array[valid.message],
      case valid.what when 'retry' then clock_timestamp() + valid.delay * interval '1 millisecond' else '-infinity' end,
      valid.attempt, valid.deliveries
    from valid where valid.what in ('release', 'retry')
  ), letters as (
    insert into {schema}.{dead_letter} (topic_id, consumer, position, key, headers, payload, reason, history)
    select message.topic_id, receiver.name, message.id, message.key, message.headers, message.payload, valid.reason, valid.history
    from valid
    join {schema}.{group} as receiver on receiver.id = given_group
    join {schema}.{message} as message on message.topic_id = receiver.topic_id and message.id = valid.message
    where valid.what = 'deadLetter'
    on conflict (topic_id, consumer, position) do nothing
  )
  select given.place::integer from given where not exists (select from valid where valid.place = given.place);
end
$$;
-- Renews leases; returns the places of the messages that are no longer held under theirs.
create function {schema}.{extend}(given_owner uuid, leases bigint[], messages bigint[], lease_ms double precision)
returns setof integer language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  perform from {schema}.{parcel} as parcel where parcel.id = any (leases) and parcel.owner = given_owner order by parcel.id for update;
  update {schema}.{parcel} as parcel set due_at = clock_timestamp() + lease_ms * interval '1 millisecond'
    where parcel.id = any (leases) and parcel.owner = given_owner;
  return query select given.place::integer from unnest(leases, messages) with ordinality as given (lease, message, place)
    where not exists (select from {schema}.{parcel} as parcel where parcel.id = given.lease and parcel.owner = given_owner and given.message = any (parcel.ids));
end
$$;

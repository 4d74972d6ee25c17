-- Removes at most so many messages of a topic that every group has acknowledged, and the ephemeral groups that nobody has read
-- for so long. Nothing is removed before a topic has a group. Tells which group needs the oldest message that is left.
create function {schema}.{trim}(given_topic integer, retain_ms double precision, reap_ms double precision, max_messages integer)
returns table (removed integer, held_back_by text) language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
begin
  perform {schema}.{leave}(dead.id) from {schema}.{group} as dead
    where dead.topic_id = given_topic and dead.ephemeral and dead.seen_at < statement_timestamp() - reap_ms * interval '1 millisecond';
  -- Publishers who still saw a group that was being removed left parcels for nobody.
  with recursive known as (
    select min(parcel.group_id) as id from {schema}.{parcel} as parcel
    union all
    select (select min(parcel.group_id) from {schema}.{parcel} as parcel where parcel.group_id > known.id) from known where known.id is not null
  )
  delete from {schema}.{parcel} as parcel using known
    where parcel.group_id = known.id and not exists (select from {schema}.{group} as receiver where receiver.id = known.id);
  perform {schema}.{backfill}(pending.id) from {schema}.{group} as pending where pending.topic_id = given_topic and pending.pending;
  -- One statement, so that what shows a message shows also who has to handle it.
  return query
  with floors as (
    select receiver.name, lowest.first from {schema}.{group} as receiver
    left join lateral (
      select parcel.first from {schema}.{parcel} as parcel where parcel.group_id = receiver.id order by parcel.first limit 1
    ) as lowest on true
    where receiver.topic_id = given_topic
  ), done as (
    select message.id from {schema}.{message} as message
    where message.topic_id = given_topic
      and exists (select from floors)
      and message.id < coalesce((select min(floors.first) from floors), 9223372036854775807)
      and message.published_at <= statement_timestamp() - retain_ms * interval '1 millisecond'
      and not exists (
        select from {schema}.{group} as late
        where late.topic_id = given_topic and late.pending and late.ordinal > message.epoch
          and (late.snapshot is null or not pg_visible_in_snapshot(message.transaction, late.snapshot))
      )
    order by message.id limit max_messages for update skip locked
  ), gone as (
    delete from {schema}.{message} as message using done where message.topic_id = given_topic and message.id = done.id
    returning message.id
  )
  select (select count(*) from gone)::integer, (select floors.name from floors where floors.first is not null order by floors.first limit 1);
end
$$;

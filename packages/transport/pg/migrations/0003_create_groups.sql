-- Finds or creates a group. It exists for every publisher once this has committed; `backfill` adds what came before.
create function {schema}.{join}(given_topic integer, given_name text, is_ephemeral boolean, after_id bigint, since timestamptz, is_pending boolean)
returns table (id integer, pending boolean) language plpgsql as $$
#variable_conflict use_column
begin
  return query select found.id, found.pending from {schema}.{group} as found
    where found.topic_id = given_topic and found.name = given_name;
  if found then return; end if;
  -- Creators of groups of one topic queue here, so that ordinals rise in commit order.
  update {schema}.{topic} as topic set epoch = topic.epoch + 1 where topic.id = given_topic;
  return query select found.id, found.pending from {schema}.{group} as found
    where found.topic_id = given_topic and found.name = given_name;
  if found then return; end if;
  return query insert into {schema}.{group} as made (topic_id, name, ordinal, ephemeral, start_after, start_at, pending)
    select topic.id, given_name, topic.epoch, is_ephemeral, after_id, since, is_pending
    from {schema}.{topic} as topic where topic.id = given_topic
    returning made.id, made.pending;
end
$$;
-- Gives a group the messages whose publishers did not see it, each once, and tells whether more of them may still commit.
create function {schema}.{backfill}(given_group integer) returns boolean language plpgsql as $$
declare
  receiver {schema}.{group}%rowtype;
  still boolean;
begin
  select * into receiver from {schema}.{group} where id = given_group for update;
  if not found or not receiver.pending then return false; end if;
  with numbered as (
    select partition, id, (row_number() over (partition by partition order by id) - 1) / 200 as chunk
    from {schema}.{message}
    where topic_id = receiver.topic_id and epoch < receiver.ordinal
      and id > receiver.start_after and published_at >= receiver.start_at
      and (receiver.snapshot is null or not pg_visible_in_snapshot(transaction, receiver.snapshot))
  ), chunked as (
    select partition, array_agg(id order by id) as ids from numbered group by partition, chunk
  ), added as (
    insert into {schema}.{parcel} (group_id, partition, first, ids)
    select given_group, partition, ids[1], ids from chunked
  )
  -- The same snapshot for what was added and for what is remembered of it.
  update {schema}.{group} as changed set
    snapshot = pg_current_snapshot(),
    horizon = coalesce(receiver.horizon, pg_snapshot_xmax(pg_current_snapshot())),
    pending = pg_snapshot_xmin(pg_current_snapshot()) < coalesce(receiver.horizon, pg_snapshot_xmax(pg_current_snapshot()))
  where changed.id = given_group returning changed.pending into still;
  return still;
end
$$;
-- Removes a group and what it had to handle; what it dead-lettered stays.
create function {schema}.{leave}(given_group integer) returns void language sql as $$
  delete from {schema}.{group} where id = given_group;
  delete from {schema}.{parcel} where group_id = given_group;
$$;

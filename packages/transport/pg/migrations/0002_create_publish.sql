-- Adds messages, given as columns in publish order, and hands them to every group of their topic in the same statement: they
-- become visible to a group exactly when they commit, so there is no cursor that could pass one that commits late.
create function {schema}.{publish}(topics integer[], partitions integer[], keys text[], headers text[], payloads bytea[])
returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  -- The transaction gets its id before the snapshot that reads the groups: whoever does not see a new group is older than it.
  perform pg_current_xact_id();
  -- Where the snapshot is older than that, a group created since must be a serialization failure instead.
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    perform from {schema}.{topic} where id = any (topics) order by id for share;
  end if;
  with given as (
    select * from unnest(topics, partitions, keys, headers, payloads) with ordinality
      as given (topic_id, partition, key, headers, payload, place)
  ), inserted as (
    insert into {schema}.{message} (topic_id, partition, epoch, key, headers, payload)
    select given.topic_id, given.partition, topic.epoch, given.key, given.headers, given.payload
    from given left join {schema}.{topic} as topic on topic.id = given.topic_id
    order by given.place
    returning topic_id, partition, id
  ), numbered as (
    select *, (row_number() over (partition by topic_id, partition order by id) - 1) / 200 as chunk from inserted
  ), chunked as (
    select topic_id, partition, array_agg(id order by id) as ids from numbered group by topic_id, partition, chunk
  )
  insert into {schema}.{parcel} (group_id, partition, first, ids)
  select receiver.id, chunked.partition, chunked.ids[1], chunked.ids
  from chunked join {schema}.{group} as receiver on receiver.topic_id = chunked.topic_id;
end
$$;

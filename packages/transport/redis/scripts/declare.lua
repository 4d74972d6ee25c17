#!lua flags=allow-oom
-- Fixes the number of partitions of a topic, if nobody has.
-- KEYS: topic
-- ARGV: partitions, or 0 for a plain topic
-- Result: partitions as they are
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
return redis.call('HGET', KEYS[1], 'partitions')

-- Appends messages to the streams of one topic, in order.
-- KEYS: the topic's streams; of one with partitions behind them the topic
-- ARGV: 2 where all messages go to the first stream and their headers have what key they have, else 4; then so many for
--   each message: headers, payload, place of its stream in KEYS, key ('' where the headers have it)
-- Result: place of the message and error, in turns, for every message that was not appended; the error PARTITIONS where
--   the topic has another number of them by now
local failures, width = {}, tonumber(ARGV[1])
if #KEYS > 1 then
  -- What was flushed is written down again: who comes next could not know where to read.
  local topic, partitions = KEYS[#KEYS], #KEYS - 1
  redis.call('HSETNX', topic, 'partitions', partitions)
  local actual = redis.call('HGET', topic, 'partitions')
  if tonumber(actual) ~= partitions then return redis.error_reply('PARTITIONS ' .. actual) end
end
for at = 2, #ARGV, width do
  local headers, payload = ARGV[at], ARGV[at + 1]
  local stream, key = KEYS[1], ''
  if width == 4 then stream, key = KEYS[tonumber(ARGV[at + 2])], ARGV[at + 3] end
  local added
  if key == '' then
    added = redis.pcall('XADD', stream, '*', 'headers', headers, 'payload', payload)
  else
    added = redis.pcall('XADD', stream, '*', 'headers', headers, 'payload', payload, 'key', key)
  end
  if type(added) == 'table' then
    failures[#failures + 1] = (at - 2) / width
    failures[#failures + 1] = added.err
  end
end
return failures

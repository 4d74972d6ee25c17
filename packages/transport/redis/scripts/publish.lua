-- Appends messages to the streams of one topic, in order.
-- KEYS: the topic's streams
-- ARGV: 2 where all messages go to the first stream and their headers have what key they have, else 4; then so many for
--   each message: headers, payload, place of its stream in KEYS, key ('' where the headers have it)
-- Result: place of the message and error, in turns, for every message that was not appended
local failures, width = {}, tonumber(ARGV[1])
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

-- Appends messages to the streams of one topic, in order.
-- KEYS: the topic's streams
-- ARGV: four per message: place of its stream in KEYS, headers, payload, key ('' where the headers have it)
-- Result: place of the message and error, in turns, for every message that was not appended
local failures = {}
for at = 1, #ARGV, 4 do
  local stream, headers, payload, key = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local added
  if key == '' then
    added = redis.pcall('XADD', stream, '*', 'headers', headers, 'payload', payload)
  else
    added = redis.pcall('XADD', stream, '*', 'headers', headers, 'payload', payload, 'key', key)
  end
  if type(added) == 'table' then
    failures[#failures + 1] = (at - 1) / 4
    failures[#failures + 1] = added.err
  end
end
return failures

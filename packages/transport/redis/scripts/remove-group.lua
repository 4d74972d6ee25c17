-- Removes an ephemeral group with everything it has, if nobody has read as it for so long.
-- KEYS: ephemeral groups, sessions, attempts, due, retry stream, then the topic's streams
-- ARGV: group, ms without a read
-- Result: 1 if it was removed
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not seen or seen + ARGV[2] > now then return 0 end
for at = 6, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 1 then redis.call('XGROUP', 'DESTROY', KEYS[at], ARGV[1]) end
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[1], ARGV[1])
return 1

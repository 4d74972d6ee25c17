#!lua flags=allow-oom
-- Ends a session. What it still holds is for others to take.
-- KEYS: sessions, retry stream, then the topic's streams
-- ARGV: session, group
local held = 0
for at = 2, #KEYS do held = held + #redis.call('XPENDING', KEYS[at], ARGV[2], '-', '+', 1, ARGV[1]) end
if held > 0 then
  redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
else
  for at = 2, #KEYS do redis.call('XGROUP', 'DELCONSUMER', KEYS[at], ARGV[2], ARGV[1]) end
  redis.call('ZREM', KEYS[1], ARGV[1])
end

-- Begins a session in a group and, where a start is given, creates what the group lacks.
-- KEYS: sessions, ephemeral groups, retry stream, then the topic's streams
-- ARGV: session, leaseMs, group, 1 if ephemeral, start (0, $, an id, or '' where nothing is created), then per stream how many entries lie before the start or -1
-- Result: the server's time in ms
local sessions, ephemerals, retry = KEYS[1], KEYS[2], KEYS[3]
local session, leaseMs, group, start = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function create(stream, from, read)
  local made = redis.pcall('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM', 'ENTRIESREAD', read)
  if made.err and string.sub(made.err, 1, 9) ~= 'BUSYGROUP' then error(made) end
end
if start ~= '' then create(retry, '0', 0) end
for at = 4, start == '' and 0 or #KEYS do
  local read = tonumber(ARGV[at + 2])
  if (start == '0' or start == '$') and redis.call('EXISTS', KEYS[at]) == 1 then
    local state = redis.call('XINFO', 'STREAM', KEYS[at])
    local map = {}
    for place = 1, #state, 2 do map[state[place]] = state[place + 1] end
    read = map['entries-added'] - (start == '0' and map['length'] or 0)
  end
  create(KEYS[at], start, read)
end
redis.call('ZADD', sessions, now + leaseMs, session)
if ARGV[4] == '1' then redis.call('ZADD', ephemerals, now, group) end
return now

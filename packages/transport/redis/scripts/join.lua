#!lua flags=allow-oom
-- Begins a session in a group and, where a start is given, creates what the group lacks.
-- KEYS: sessions, ephemeral groups, retry stream, then the topic's streams
-- ARGV: session, leaseMs, group, 1 if ephemeral, session that this one follows or '', then two per stream, or none where nothing is created:
--   start (0, $ or an id), how many entries lie before it (counted here for 0 and $)
-- Result: per stream the id behind which the group goes on, none where nothing is created
local sessions, ephemerals, retry = KEYS[1], KEYS[2], KEYS[3]
local session, leaseMs, group, creating = ARGV[1], ARGV[2], ARGV[3], #ARGV > 5
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function fieldsOf(list)
  local map = {}
  for at = 1, #list, 2 do map[list[at]] = list[at + 1] end
  return map
end
local function create(stream, from, read)
  local made = redis.pcall('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM', 'ENTRIESREAD', read)
  if made.err and string.sub(made.err, 1, 9) ~= 'BUSYGROUP' then error(made) end
end
local positions = {}
if creating then create(retry, '0', 0) end
for at = 4, creating and #KEYS or 0 do
  local start, read = ARGV[at * 2 - 2], ARGV[at * 2 - 1]
  if (start == '0' or start == '$') and redis.call('EXISTS', KEYS[at]) == 1 then
    local state = fieldsOf(redis.call('XINFO', 'STREAM', KEYS[at]))
    read = state['entries-added'] - (start == '0' and state['length'] or 0)
  end
  create(KEYS[at], start, read)
  for _, list in ipairs(redis.call('XINFO', 'GROUPS', KEYS[at])) do
    local one = fieldsOf(list)
    if one['name'] == group then positions[at - 3] = one['last-delivered-id'] end
  end
end
-- What the former one still holds is given to others at once.
if ARGV[5] ~= '' then redis.call('ZADD', sessions, 'XX', 0, ARGV[5]) end
redis.call('ZADD', sessions, now + leaseMs, session)
if ARGV[4] == '1' then redis.call('ZADD', ephemerals, now, group) end
return positions

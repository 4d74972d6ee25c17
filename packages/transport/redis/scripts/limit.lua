-- Cuts a stream to a length and an age, and notes for every group how many unread entries it lost by that.
-- KEYS: cuts, stream
-- ARGV: most entries or 0, greatest age in ms or 0
-- Result: number of entries removed
local cuts, stream = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local removed = 0
if ARGV[1] ~= '0' then removed = removed + redis.call('XTRIM', stream, 'MAXLEN', ARGV[1]) end
if ARGV[2] ~= '0' then removed = removed + redis.call('XTRIM', stream, 'MINID', now - ARGV[2]) end
if removed == 0 then return 0 end

local function fields(list)
  local map = {}
  for at = 1, #list, 2 do map[list[at]] = list[at + 1] end
  return map
end
local state = fields(redis.call('XINFO', 'STREAM', stream))
local before = state['entries-added'] - state['length']
for _, list in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fields(list)
  local read = group['entries-read']
  if read and read < before then
    redis.call('HINCRBY', cuts, group['name'], before - read)
    -- The server would count what it removed as unread for ever.
    redis.call('XGROUP', 'SETID', stream, group['name'], group['last-delivered-id'], 'ENTRIESREAD', before)
  end
end
return removed

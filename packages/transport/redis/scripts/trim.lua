-- Removes entries that every group has acknowledged, a bounded number of them.
-- KEYS: stream
-- Result: number of entries removed, the group that needs the oldest one left or ''
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return { 0, '' } end

local function fieldsOf(list)
  local map = {}
  for at = 1, #list, 2 do map[list[at]] = list[at + 1] end
  return map
end
local function parts(id)
  local ms, sequence = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(sequence)
end
local function isBefore(id, other)
  local ms, sequence = parts(id)
  local otherMs, otherSequence = parts(other)
  return ms < otherMs or (ms == otherMs and sequence < otherSequence)
end
local function after(id)
  local ms, sequence = parts(id)
  -- The greatest sequence of a millisecond, where a start by time stands; numbers are exact up to 2^53.
  if sequence >= 9007199254740992 then return string.format('%.0f-0', ms + 1) end
  return string.format('%.0f-%.0f', ms, sequence + 1)
end

local lowest, holder = nil, ''
for _, list in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = fieldsOf(list)
  local needs = after(group['last-delivered-id'])
  if group['pending'] > 0 then needs = redis.call('XPENDING', stream, group['name'])[2] end
  if not lowest or isBefore(needs, lowest) then
    lowest, holder = needs, group['name']
  end
end
if not lowest then return { 0, '' } end
-- ~ removes whole nodes, quickly, and stops near its limit; what it leaves of the last node goes exactly.
local removed = redis.call('XTRIM', stream, 'MINID', '~', lowest, 'LIMIT', 10000)
if removed < 9000 then removed = removed + redis.call('XTRIM', stream, 'MINID', lowest) end
if #redis.call('XRANGE', stream, '-', '+', 'COUNT', 1) == 0 then holder = '' end
return { removed, holder }

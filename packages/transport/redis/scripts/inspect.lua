-- What one group of a topic has before it.
-- KEYS: sessions, due, dead letters per consumer, retry stream, then the topic's streams
-- ARGV: group
-- Result: running, given back, delayed, dead-lettered, ms id of the oldest entry that is not settled or '',
--   then per stream lag or -1 and the last id handed over
local group = ARGV[1]
local running, free, oldest, streams = 0, 0, nil, {}
for at = 4, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 1 then
    for _, list in ipairs(redis.call('XINFO', 'GROUPS', KEYS[at])) do
      local one = {}
      for place = 1, #list, 2 do one[list[place]] = list[place + 1] end
      if one['name'] == group then
        local pending = redis.call('XPENDING', KEYS[at], group)
        running = running + one['pending']
        for _, owner in ipairs(pending[4] or {}) do
          if owner[1] == '~' then free = free + owner[2] end
        end
        local first = pending[2]
        if not first then
          local entry = redis.call('XRANGE', KEYS[at], '(' .. one['last-delivered-id'], '+', 'COUNT', 1)[1]
          first = entry and entry[1]
        end
        local ms = first and tonumber(string.match(first, '%d+'))
        if ms and (not oldest or ms < oldest) then oldest = ms end
        if at > 4 then
          streams[#streams + 1] = one['lag'] or -1
          streams[#streams + 1] = one['last-delivered-id']
        end
      end
    end
  end
end
local time = redis.call('TIME')
local age = oldest and math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - oldest) or -1
local delayed, letters = redis.call('ZCARD', KEYS[2]), redis.call('HGET', KEYS[3], group)
return { running - free, free, delayed, tonumber(letters or 0) or 0, age, unpack(streams) }

#!lua flags=allow-oom
-- Hands entries over to a session: what it was sent and did not get, what others gave back or died with, what is due, and
-- in a topic with partitions what is next in every partition that nobody else holds.
-- KEYS: sessions, attempts, due, ephemeral groups, cuts, retry stream, dead letters, dead letters per consumer, then the topic's
--   streams
-- ARGV: session, leaseMs, group, room, 1 if ephemeral, 1 to look for strays, 1 if partitioned, partition to begin with,
--   number of entries held or -1 where none is in doubt, then the held ones as label/id
-- Result: 0 alone where the session was lost, else 1, entries, ms until there may be more or -1, number of entries that
--   had been removed, number of unread entries that retention removed, number of delayed entries that were no messages and
--   are dead letters now, last id of every stream if partitioned and empty.
--   An entry: label (0 the retry stream, else the stream's place), id, fields, attempt or 0, deliveries, 1 if suspect
local sessions, attempts, due, ephemerals, cuts, retry, letters, counts = unpack(KEYS, 1, 8)
local session, leaseMs, group, left = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local ephemeral, sweep, partitioned = ARGV[5] == '1', ARGV[6] == '1', ARGV[7] == '1'
local held = tonumber(ARGV[9])
local streams = #KEYS - 8
local free = '~'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function isAlive(name) return tonumber(redis.call('ZSCORE', sessions, name) or 0) > 0 end
local function streamOf(label) return label == 0 and retry or KEYS[8 + label] end
local function pending(label, count, owner)
  if owner then return redis.call('XPENDING', streamOf(label), group, '-', '+', count, owner) end
  return redis.call('XPENDING', streamOf(label), group, '-', '+', count)
end
local function fieldsOf(list)
  local map = {}
  for at = 1, #list, 2 do map[list[at]] = list[at + 1] end
  return map
end

if not isAlive(session) then return { 0 } end
redis.call('ZADD', sessions, now + leaseMs, session)
if ephemeral then redis.call('ZADD', ephemerals, now, group) end
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', sessions, '(0', now)) do redis.call('ZADD', sessions, 0, expired) end

local entries, gone = {}, 0
local function hand(label, rows)
  if #rows == 0 then return end
  local ids, byId = {}, {}
  for at, row in ipairs(rows) do
    ids[at] = row[1]
    byId[row[1]] = row
  end
  local claimed = redis.call('XCLAIM', streamOf(label), group, session, 0, unpack(ids))
  left = left - #claimed
  for _, entry in ipairs(claimed) do
    local id = entry[1]
    local row, note = byId[id], redis.call('HGET', attempts, label .. '/' .. id)
    byId[id] = nil
    local isSuspect = row[2] ~= free and row[2] ~= session
    local attempt, started = string.match(note or '', '^(%d+):(%d)$')
    attempt = tonumber(attempt or 0)
    -- A run that had begun ended with its process.
    if isSuspect and started == '1' then
      attempt = attempt + 1
      redis.call('HSET', attempts, label .. '/' .. id, attempt .. ':0')
    end
    entries[#entries + 1] = { label, id, entry[2], attempt, row[4] + 1, isSuspect and 1 or 0 }
  end
  -- The server forgets pending entries that are no longer in the stream.
  for id in pairs(byId) do
    gone = gone + 1
    redis.call('HDEL', attempts, label .. '/' .. id)
  end
end
local function take(label)
  local reply = redis.call('XREADGROUP', 'GROUP', group, session, 'COUNT', left, 'STREAMS', streamOf(label), '>')
  if not reply then return end
  for _, entry in ipairs(reply[1][2]) do
    entries[#entries + 1] = { label, entry[1], entry[2], 0, 1, 0 }
    left = left - 1
  end
end

local cut = 0
if sweep then
  for label = 0, streams do
    -- Says NOGROUP also where the stream is gone, which XINFO does not.
    redis.call('XPENDING', streamOf(label), group)
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', streamOf(label), group)) do
      local name = consumer[2]
      -- A stalled reader that was given up may still have read once more.
      if name ~= free and not redis.call('ZSCORE', sessions, name) then redis.call('ZADD', sessions, 0, name) end
    end
  end
  for label = 1, streams do
    local state = fieldsOf(redis.call('XINFO', 'STREAM', streamOf(label)))
    local before = state['entries-added'] - state['length']
    for _, list in ipairs(redis.call('XINFO', 'GROUPS', streamOf(label))) do
      local one = fieldsOf(list)
      local read = one['entries-read']
      if one['name'] == group and read and read < before then
        cut = cut + before - read
        redis.call('XGROUP', 'SETID', streamOf(label), group, one['last-delivered-id'], 'ENTRIESREAD', before)
      end
    end
  end
end
local noted = redis.call('HGET', cuts, group)
if noted then
  cut = cut + (tonumber(noted) or 0)
  redis.call('HDEL', cuts, group)
end

if held >= 0 then
  local isHeld = {}
  for at = 10, 9 + held do isHeld[ARGV[at]] = true end
  for label = 0, streams do
    local rows = {}
    for _, row in ipairs(left > 0 and pending(label, held + left, session) or {}) do
      if #rows < left and not isHeld[label .. '/' .. row[1]] then rows[#rows + 1] = row end
    end
    hand(label, rows)
  end
end

local owners = redis.call('ZRANGEBYSCORE', sessions, 0, 0)
table.insert(owners, 1, free)
for _, owner in ipairs(owners) do
  for label = 0, partitioned and 0 or streams do
    if left > 0 then hand(label, pending(label, left, owner)) end
  end
  if owner ~= free then
    local rest = 0
    for label = 0, streams do rest = rest + #pending(label, 1, owner) end
    if rest == 0 then
      for label = 0, streams do redis.call('XGROUP', 'DELCONSUMER', streamOf(label), group, owner) end
      redis.call('ZREM', sessions, owner)
    end
  end
end

local function messageIn(packed)
  local isPacked, fields = pcall(cmsgpack.unpack, packed)
  if not isPacked or type(fields) ~= 'table' then return nil end
  -- More than Lua can pass on were never a message.
  if #fields == 0 or #fields % 2 == 1 or #fields > 7000 then return nil end
  for _, field in ipairs(fields) do
    if type(field) ~= 'string' then return nil end
  end
  return fields
end
local strange = 0
if left > 0 then
  for _, packed in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, left)) do
    -- Whatever somebody else wrote there must not end every read.
    local fields = messageIn(packed)
    if fields then
      redis.call('XADD', retry, '*', unpack(fields))
    else
      strange = strange + 1
      redis.call('XADD', letters, '*', 'payload', packed, 'consumer', group, 'reason', 'it is no delayed message')
      redis.pcall('HINCRBY', counts, group, 1)
    end
    redis.call('ZREM', due, packed)
  end
  take(0)
end

if partitioned then
  for offset = 0, streams - 1 do
    if left <= 0 then break end
    local label = (ARGV[8] + offset) % streams + 1
    local isBusy, others, own = false, 0, 0
    for _, owner in ipairs(redis.call('XPENDING', streamOf(label), group)[4] or {}) do
      if owner[1] == session then own = tonumber(owner[2])
      else
        others = others + owner[2]
        if owner[1] ~= free and isAlive(owner[1]) then isBusy = true end
      end
    end
    if not isBusy then
      local rows = {}
      if others > 0 then
        for _, row in ipairs(pending(label, own + left)) do
          if row[2] ~= session and #rows < left then rows[#rows + 1] = row end
        end
        hand(label, rows)
      end
      if #rows == others and left > 0 then take(label) end
    end
  end
else
  -- What several owners left behind goes on in the order it was published.
  local function place(id)
    local ms, sequence = string.match(id, '(%d+)-(%d+)')
    return tonumber(ms), tonumber(sequence)
  end
  table.sort(entries, function(one, other)
    if one[1] ~= other[1] then return one[1] < other[1] end
    local ms, sequence = place(one[2])
    local otherMs, otherSequence = place(other[2])
    return ms < otherMs or (ms == otherMs and sequence < otherSequence)
  end)
end

local wait = -1
local function within(ms)
  if wait < 0 or ms < wait then wait = math.max(0, ms) end
end
local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
if next[2] then within(next[2] - now) end
local deadlines = redis.call('ZRANGEBYSCORE', sessions, '(0', '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
for at = 1, #deadlines, 2 do
  if deadlines[at] ~= session then within(deadlines[at + 1] - now + 1) end
end
-- What was removed took the place of what may stand behind it.
if left <= 0 or gone > 0 then wait = 0 end

local result = { 1, entries, wait, gone, cut, strange }
if partitioned and #entries == 0 then
  for label = 1, streams do
    result[#result + 1] = fieldsOf(redis.call('XINFO', 'STREAM', streamOf(label)))['last-generated-id']
  end
end
return result

#!lua flags=allow-oom
-- Settles entries of one stream and renews the lease of the session that holds them, if it has not been given up.
-- KEYS: sessions, attempts, due, dead letters, dead letters per consumer, stream
-- ARGV: session, leaseMs, group, label of the stream, number of ids to acknowledge, the ids, then six for each other settlement:
--   release, id, deliveries, attempt, '', ''           back to the group, at once
--   started, id, deliveries, attempt, '', ''           a run of a suspect begins
--   retry, id, deliveries, attempt, afterMs, position  back to the group, later
--   deadLetter, id, deliveries, reason, history, position
-- Result: -1 where the session was given up and nothing was done, else the number of entries that had been removed
local sessions, attempts, due, letters, counts, stream = unpack(KEYS)
local session, leaseMs, group, label, acknowledged = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.ceil(time[2] / 1000)
if tonumber(redis.call('ZSCORE', sessions, session) or 0) <= 0 then return -1 end
redis.call('ZADD', sessions, now + leaseMs, session)

local isNoted = redis.call('EXISTS', attempts) == 1
-- unpack fails near 8,000 values.
for from = 6, 5 + acknowledged, 4000 do
  local to = math.min(from + 3999, 5 + acknowledged)
  redis.call('XACK', stream, group, unpack(ARGV, from, to))
  if label == '0' then redis.call('XDEL', stream, unpack(ARGV, from, to)) end
  if isNoted then
    for at = from, to do redis.call('HDEL', attempts, label .. '/' .. ARGV[at]) end
  end
end

local gone = 0
local function finish(id)
  redis.call('XACK', stream, group, id)
  if label == '0' then redis.call('XDEL', stream, id) end
  redis.call('HDEL', attempts, label .. '/' .. id)
end
-- What was published, without what an earlier retry added.
local own = { attempt = true, deliveries = true, position = true, consumer = true, reason = true, history = true }
local needed = { headers = true, payload = true, key = true }
local function message(id)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if not entry then
    gone = gone + 1
    return nil
  end
  -- Of a repeated name the last counts, as for readers.
  local places, fields, earlier = {}, {}, 0
  for at = 1, #entry[2], 2 do
    local name = entry[2][at]
    if label == '0' and name == 'deliveries' then earlier = tonumber(entry[2][at + 1]) or 0 end
    local place = places[name] or #fields + 1
    -- unpack fails near 8,000 values: of what somebody else wrote no more stays than it takes.
    if needed[name] or (not own[name] and place < 7000) then
      places[name], fields[place], fields[place + 1] = place, name, entry[2][at + 1]
    end
  end
  return fields, earlier
end
local function with(fields, ...)
  for _, value in ipairs({ ... }) do fields[#fields + 1] = value end
  return fields
end

for at = 6 + acknowledged, #ARGV, 6 do
  local kind, id = ARGV[at], ARGV[at + 1]
  local row = redis.call('XPENDING', stream, group, id, id, 1)[1]
  -- One that is not pending was settled by a call whose answer got lost, one of another hand-over given back by it.
  if row and row[2] == session and row[4] == tonumber(ARGV[at + 2]) then
    if kind == 'release' then
      redis.call('HSET', attempts, label .. '/' .. id, ARGV[at + 3] .. ':0')
      redis.call('XCLAIM', stream, group, '~', 0, id, 'JUSTID')
    elseif kind == 'started' then
      redis.call('HSET', attempts, label .. '/' .. id, ARGV[at + 3] .. ':1')
    else
      local fields, earlier = message(id)
      if fields and kind == 'retry' then
        with(fields, 'attempt', ARGV[at + 3], 'deliveries', string.format('%d', earlier + row[4]), 'position', ARGV[at + 5])
        redis.call('ZADD', due, now + ARGV[at + 4], cmsgpack.pack(fields))
      elseif fields then
        with(fields, 'consumer', group, 'reason', ARGV[at + 3], 'history', ARGV[at + 4], 'position', ARGV[at + 5])
        redis.call('XADD', letters, '*', unpack(fields))
        -- What stands there may be no number, and no letter is to be written twice for that.
        redis.pcall('HINCRBY', counts, group, 1)
      end
      finish(id)
    end
  end
end
return gone

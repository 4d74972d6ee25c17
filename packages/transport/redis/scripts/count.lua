-- Counts entries behind an id, up to 1,000 of them, so that the server is never held up for long.
-- KEYS: stream
-- ARGV: id to begin behind, id to end at
-- Result: their number, id of the last one or ''
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], ARGV[2], 'COUNT', 1000)
return { #entries, #entries > 0 and entries[#entries][1] or '' }

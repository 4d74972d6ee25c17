-- Removes dead letters; those that are gone already are passed over.
-- KEYS: dead letters, dead letters per consumer
-- ARGV: ids
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[1], id, id)[1]
  if letter then
    redis.call('XDEL', KEYS[1], id)
    for at = 1, #letter[2], 2 do
      if letter[2][at] == 'consumer' then redis.call('HINCRBY', KEYS[2], letter[2][at + 1], -1) end
    end
  end
end

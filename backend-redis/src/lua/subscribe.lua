-- KEYS: session
-- ARGV: fence, position, patterns
-- Gives how often the session was changed.
if redis.call('HGET', KEYS[1], 'f') ~= ARGV[1] then return 0 end
for at = 3, #ARGV do
  local since = redis.call('HGET', KEYS[1], '+' .. ARGV[at])
  if not since or tonumber(ARGV[2]) < tonumber(since) then
    redis.call('HSET', KEYS[1], '+' .. ARGV[at], ARGV[2])
  end
end
return redis.call('HINCRBY', KEYS[1], 'v', 1)

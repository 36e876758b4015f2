-- KEYS: session
-- ARGV: fence, position, patterns
-- Gives how often the session was changed.
local kept = redis.call('HMGET', KEYS[1], 'f', 'v')
if kept[1] ~= ARGV[1] then return 0 end
for at = 3, #ARGV do
  local since = redis.call('HGET', KEYS[1], '+' .. ARGV[at])
  if not since or tonumber(ARGV[2]) < tonumber(since) then
    redis.call('HSET', KEYS[1], '+' .. ARGV[at], ARGV[2])
  end
end
local version = tonumber(kept[2] or '0') + 1
redis.call('HSET', KEYS[1], 'v', version)
return version

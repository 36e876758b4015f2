-- KEYS: session
-- ARGV: fence, patterns
-- Gives how often the session was changed.
local kept = redis.call('HMGET', KEYS[1], 'f', 'v')
if kept[1] ~= ARGV[1] then return 0 end
for at = 2, #ARGV do redis.call('HDEL', KEYS[1], '+' .. ARGV[at]) end
local version = tonumber(kept[2] or '0') + 1
redis.call('HSET', KEYS[1], 'v', version)
return version

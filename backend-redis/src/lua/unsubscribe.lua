-- KEYS: session
-- ARGV: fence, patterns
-- Gives how often the session was changed.
if redis.call('HGET', KEYS[1], 'f') ~= ARGV[1] then return 0 end
for at = 2, #ARGV do redis.call('HDEL', KEYS[1], '+' .. ARGV[at]) end
return redis.call('HINCRBY', KEYS[1], 'v', 1)

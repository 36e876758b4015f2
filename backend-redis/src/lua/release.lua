-- A session is left to whoever claims it.
-- KEYS: session
-- ARGV: fence, position
if redis.call('HGET', KEYS[1], 'f') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'o', '', 'c', ARGV[2])
redis.call('PEXPIRE', KEYS[1], redis.call('HGET', KEYS[1], 'n'))
return 1

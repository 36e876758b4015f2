-- A session is over. One that is not there is over already.
-- KEYS: session
-- ARGV: fence
local fence = redis.call('HGET', KEYS[1], 'f')
if fence and fence ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1

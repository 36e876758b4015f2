-- The cookie of a browser has come back for a session. That counts as no change: if it is lost, it is written again.
-- KEYS: session
-- ARGV: fence, browser
if redis.call('HGET', KEYS[1], 'f') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'b', ARGV[2], 'd', '1')
return 1

-- The cookie of a browser has come back for a session.
-- KEYS: session
-- ARGV: fence, browser
-- Gives how often the session was changed.
local kept = redis.call('HMGET', KEYS[1], 'f', 'v')
if kept[1] ~= ARGV[1] then return 0 end
local version = tonumber(kept[2] or '0') + 1
redis.call('HSET', KEYS[1], 'b', ARGV[2], 'd', '1', 'v', version)
return version

-- A claim of which nobody knows whether it was done is undone. What was said when the session was let go of still holds.
-- KEYS: session
-- ARGV: the owner that is none
if redis.call('HGET', KEYS[1], 'o') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'o', '')
return 1

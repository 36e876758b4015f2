-- A new session, under the first fence.
-- KEYS: session, meta
-- ARGV: owner, record, time to live in ms, its browser if it has one, whether the cookie of that has come back, and pairs
--   of pattern and position
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'o', ARGV[1], 'f', '1', 'r', ARGV[2], 'n', ARGV[3],
  'g', redis.call('HGET', KEYS[2], 'log'))
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'b', ARGV[4]) end
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'd', '1') end
for at = 6, #ARGV, 2 do
  local since = redis.call('HGET', KEYS[1], '+' .. ARGV[at])
  if not since or tonumber(ARGV[at + 1]) < tonumber(since) then
    redis.call('HSET', KEYS[1], '+' .. ARGV[at], ARGV[at + 1])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1

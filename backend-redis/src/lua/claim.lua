-- A session goes to a new owner, and the former one is told.
-- KEYS: session, log, meta
-- ARGV: the new owner, the beginning of the inboxes' names, the session's name, the most letters, the new owner's
--   node, the beginning of the leases' names, what its lease says, which sessions it may be: `any`, those that are
--   `unbound`, those of the browser with this name, or `browserless` ones; those are in all of these
-- Gives who had it, whether that owner lives, the id that the log gave last, and the session.
if redis.call('GET', ARGV[6] .. ARGV[5]) ~= ARGV[7] then
  -- It was on its way while its node has joined anew, and was told to have failed.
  return redis.error_reply('LATE claim')
end
local former = redis.call('HGET', KEYS[1], 'o')
if not former then return false end
if redis.call('HGET', KEYS[1], 'g') ~= redis.call('HGET', KEYS[3], 'log') then
  -- The log that it was in was lost.
  redis.call('DEL', KEYS[1])
  return false
end
local access, of = ARGV[8], redis.call('HMGET', KEYS[1], 'b', 'd')
if of[1] and access ~= 'any' and access ~= of[1] and not (access == 'unbound' and not of[2]) then return false end
local lives = 0
if former ~= ARGV[1] then
  local fence = redis.call('HINCRBY', KEYS[1], 'f', 1)
  redis.call('HSET', KEYS[1], 'o', ARGV[1])
  if former ~= '' then
    redis.call('HDEL', KEYS[1], 'c')
    local node, shard = string.match(former, '^(.*)/(%d+)$')
    redis.call('XADD', ARGV[2] .. node, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[4], '*',
      's', shard, 'l', 'T' .. ARGV[3] .. ' ' .. fence .. ' ' .. ARGV[5])
    lives = redis.call('EXISTS', ARGV[6] .. node)
  end
end
redis.call('PEXPIRE', KEYS[1], redis.call('HGET', KEYS[1], 'n'))
local last = '0-0'
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then last = info[at + 1] end
  end
end
return { former, lives, last, redis.call('HGETALL', KEYS[1]) }

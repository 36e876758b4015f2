-- A node lives on.
-- KEYS: lease, inbox, log
-- ARGV: the lease in ms, what it says
-- Gives the id that was given last, or nothing if something is not there that should be.
if redis.call('EXISTS', KEYS[2], KEYS[3]) ~= 2 then return false end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
redis.call('PEXPIRE', KEYS[2], tonumber(ARGV[1]) * 12)
local info = redis.call('XINFO', 'STREAM', KEYS[3])
for at = 1, #info, 2 do
  if info[at] == 'last-generated-id' then return info[at + 1] end
end

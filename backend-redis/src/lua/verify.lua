-- Which of these sessions are another's by now, or gone? The others live on.
-- KEYS: sessions
-- ARGV: for each its owner, its fence, its time to live in ms
-- Gives the place and the fence of each that is lost; the fence is empty if there is no such session.
local lost = {}
for at, session in ipairs(KEYS) do
  local kept = redis.call('HMGET', session, 'o', 'f')
  if kept[1] == ARGV[3 * at - 2] and kept[2] == ARGV[3 * at - 1] then
    redis.call('PEXPIRE', session, ARGV[3 * at])
  else
    lost[#lost + 1] = at
    lost[#lost + 1] = kept[2] or ''
  end
end
return lost

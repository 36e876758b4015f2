-- Which of these sessions are another's by now, or gone? The others live on. One that Redis has as it was before its owner
-- changed it, the change being lost, is gone: its subscriptions are not those that its client was told. That its cookie has
-- come back is written again.
-- KEYS: sessions
-- ARGV: for each its owner, its fence, its version, its time to live in ms, the browser whose cookie has come back or nothing
-- Gives the place and the fence of each that is lost; the fence is empty if there is no such session.
local lost = {}
for at, session in ipairs(KEYS) do
  local owner, fence, version, ms, browser = unpack(ARGV, 5 * at - 4, 5 * at)
  local kept = redis.call('HMGET', session, 'o', 'f', 'v', 'd')
  local is_mine = kept[1] == owner and kept[2] == fence
  if kept[2] and (tonumber(kept[2]) < tonumber(fence) or is_mine and tonumber(kept[3] or '0') < tonumber(version)) then
    redis.call('DEL', session)
    is_mine, kept[2] = false, nil
  end
  if is_mine then
    if browser ~= '' and not kept[4] then redis.call('HSET', session, 'b', browser, 'd', '1') end
    redis.call('PEXPIRE', session, ms)
  else
    lost[#lost + 1] = at
    lost[#lost + 1] = kept[2] or ''
  end
end
return lost

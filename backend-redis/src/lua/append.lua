-- Entries for the log, each unless its session is another's by now. Redis itself refuses an old epoch.
-- KEYS: log
-- ARGV: epoch, the most entries, and for each entry its session and the fence of that, both empty if it has none, and
--   the entry
-- Gives the id of the last one that was added, and the places of those that were not.
local call, log, id = redis.call, KEYS[1], ARGV[1] .. '-*'
local fences, done = {}, { '' }
for at = 3, #ARGV, 3 do
  local session = ARGV[at]
  if session ~= '' and fences[session] == nil then fences[session] = call('HGET', session, 'f') end
  if session ~= '' and fences[session] ~= ARGV[at + 1] then
    done[#done + 1] = at / 3
  else
    if at == 3 then
      done[1] = call('XADD', log, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], id, 'e', ARGV[5])
    else
      done[1] = call('XADD', log, 'NOMKSTREAM', id, 'e', ARGV[at + 2])
    end
    if not done[1] then return redis.error_reply('LOST the log') end
  end
end
return done

-- An entry for the log, unless its session is another's by now. Redis itself refuses an old epoch.
-- KEYS: log, and its session if that has a fence
-- ARGV: epoch, the most entries, entry, fence
if KEYS[2] and redis.call('HGET', KEYS[2], 'f') ~= ARGV[4] then return 0 end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], ARGV[1] .. '-*', 'e', ARGV[3])
return id or redis.error_reply('LOST the log')

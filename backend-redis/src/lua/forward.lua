-- A letter to the owner of a session.
-- KEYS: session
-- ARGV: the beginning of the leases' names, that of the inboxes', whether a lease that is not there counts,
--   the letter, the most letters, an owner who has refused it
local owner = redis.call('HGET', KEYS[1], 'o')
if not owner then return 'unknown' end
if owner == '' or owner == ARGV[6] then return 'unowned' end
local node, shard = string.match(owner, '^(.*)/(%d+)$')
if ARGV[3] == '1' and redis.call('EXISTS', ARGV[1] .. node) == 0 then return 'unowned' end
local id = redis.call('XADD', ARGV[2] .. node, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[5], '*', 's', shard, 'l', ARGV[4])
if id then return { owner, id } end
return 'away'

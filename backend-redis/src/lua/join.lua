-- A node joins, or comes back. The log begins, or begins anew if it was lost, or goes on under a new epoch if this
-- is another Redis than before: positions that only the lost one knew are never given twice.
-- KEYS: meta, log, lease, inbox
-- ARGV: format, a name for a new log, the epoch and the position that the node knows, its lease in ms
local meta, log, lease, inbox = unpack(KEYS)
local format, name, epoch, known, ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function text(number) return string.format('%.0f', number) end

local written = redis.call('HGET', meta, 'format')
if written and written ~= format then return redis.error_reply('FORMAT ' .. written) end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local now = tonumber(redis.call('HGET', meta, 'epoch') or '0')
local last, before = known, ''
local lost = not written or redis.call('EXISTS', log) == 0
if lost then
  redis.call('DEL', log)
  redis.call('HSET', meta, 'format', format, 'log', name)
  last = math.max(last, tonumber(redis.call('HGET', meta, 'e' .. text(now)) or '0'))
else
  local id = redis.call('XINFO', 'STREAM', log)
  for at = 1, #id, 2 do
    if id[at] == 'last-generated-id' then before = string.match(id[at + 1], '-(%d+)$') end
  end
  last = math.max(last, tonumber(before))
end
if lost or redis.call('HGET', meta, 'run') ~= run or known > tonumber(before) then
  now = math.max(now, epoch) + 1
  if last > 0 or not lost then last = last + 1048576 end
  redis.call('XADD', log, text(now) .. '-' .. text(last), 'm', before)
  redis.call('HSET', meta, 'epoch', text(now), 'run', run, 'e' .. text(now), text(last))
  redis.call('HDEL', meta, 'e' .. text(now - 64))
end
redis.call('SET', lease, '1', 'PX', ms)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('XADD', inbox, '0-1', 'm', '')
  redis.call('XDEL', inbox, '0-1')
end
redis.call('PEXPIRE', inbox, ms * 12)
return { text(now), text(last), redis.call('HGETALL', meta) }

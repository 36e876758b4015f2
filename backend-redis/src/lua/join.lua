-- A node joins, or comes back. The log begins, or begins anew if it or its end was lost, or goes on under a new epoch if
-- this is another Redis than before: positions that only the lost one knew are never given twice. A loss is made good
-- once: the name of a log says how many were lost before it, and who knows an older one than this has nothing to say
-- about it, but begins where it is.
-- KEYS: meta, log, lease, inbox
-- ARGV: format, what makes the name of a new log its own, the newest epoch that the node has heard of, the epoch and the
--   position of the last entry that it knows, its lease in ms, what the lease says, how far epochs are apart (no two nodes
--   think of the same), the name of the log that it knows
local meta, log, lease, inbox = unpack(KEYS)
local format, name, epoch, ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])
local known = { epoch = tonumber(ARGV[4]), position = tonumber(ARGV[5]), log = ARGV[9] }
local function losses(log) return tonumber(string.match(log, '^(%d+)%.') or '0') end
local function text(number) return string.format('%.0f', number) end

local written = redis.call('HGET', meta, 'format')
if written and written ~= format then return redis.error_reply('FORMAT ' .. written) end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local now = tonumber(redis.call('HGET', meta, 'epoch') or '0')
local here = redis.call('HGET', meta, 'log') or ''

-- By epoch: the last position before it.
local ends, epochs = {}, {}
local fields = redis.call('HGETALL', meta)
for at = 1, #fields, 2 do
  local number = tonumber(string.match(fields[at], '^b(%d+)$'))
  if number then
    ends[number] = tonumber(fields[at + 1])
    epochs[#epochs + 1] = number
  end
end
table.sort(epochs)

local last, before = known.position, 0
local lost = not written or redis.call('EXISTS', log) == 0
if lost then
  last = math.max(last, tonumber(redis.call('HGET', meta, 'e' .. text(now)) or '0'))
else
  local info = redis.call('XINFO', 'STREAM', log)
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then before = tonumber(string.match(info[at + 1], '-(%d+)$')) end
  end
  last = math.max(last, before)
  if known.log == here then
    -- What the node knows has to lie before whatever came after it.
    local until_there = before
    for at = #epochs, 1, -1 do
      if epochs[at] > known.epoch then until_there = ends[epochs[at]] end
    end
    lost = not ends[known.epoch] or known.position > until_there
  else
    -- It is back from before the last loss.
    lost = losses(known.log) > losses(here)
  end
end
if lost or last > before or redis.call('HGET', meta, 'run') ~= run then
  if lost then
    redis.call('DEL', log)
    name = text(math.max(losses(known.log), losses(here)) + 1) .. '.' .. name
    redis.call('HSET', meta, 'format', format, 'log', name)
  end
  now = math.max(now, epoch) + tonumber(ARGV[8])
  if last > 0 or not lost then last = last + 1048576 end
  redis.call('XADD', log, text(now) .. '-' .. text(last), 'm', lost and '' or text(before))
  redis.call('HSET', meta, 'epoch', text(now), 'run', run, 'e' .. text(now), text(last), 'b' .. text(now), text(before))
  for at = 1, #epochs - 63 do redis.call('HDEL', meta, 'e' .. text(epochs[at]), 'b' .. text(epochs[at])) end
end
redis.call('SET', lease, ARGV[7], 'PX', ms)
if redis.call('EXISTS', inbox) == 0 then
  redis.call('XADD', inbox, '0-1', 'm', '')
  redis.call('XDEL', inbox, '0-1')
end
redis.call('PEXPIRE', inbox, ms * 12)
return { text(now), text(last), redis.call('HGETALL', meta) }

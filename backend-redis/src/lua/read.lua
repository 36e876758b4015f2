-- A page of the log, and its oldest entry, which says what is no longer kept.
-- KEYS: log
-- ARGV: the first id, the last id, how many
return { redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1),
  redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3]) }

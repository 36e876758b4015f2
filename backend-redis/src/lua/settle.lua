-- What became of a letter to a node that does not answer?
-- KEYS: its lease, its inbox
-- ARGV: the letter's id
-- Gives 0 if the node lives, 1 if it is dead and has not seen the letter, 2 if it may have.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('XDEL', KEYS[2], ARGV[1]) == 1 then return 1 end
return 2

-- Note that a stored object has been erased.
-- KEYS job, active, expiry, erase. ARGV object, event ('' = it was not there), job
-- Returns {'noted'}
redis.call('ZREM', KEYS[4], ARGV[1])
if ARGV[2] ~= '' then note(ARGV[2], ARGV[3]) end
return {'noted'}

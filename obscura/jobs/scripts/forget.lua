-- Record that a stored object was erased.
-- KEYS job, active, expiry, erase. ARGV object, event ('' = it was not there), job
-- Returns {'noted'}
redis.call('ZREM', KEYS[4], ARGV[1])
if ARGV[2] ~= '' then audit(ARGV[2], ARGV[3]) end
return {'noted'}

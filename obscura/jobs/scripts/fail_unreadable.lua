-- Fail a job whose record a reader could not parse.
-- KEYS job, active, expiry, erase. ARGV id, ttl, channel
-- Returns {'failed_unreadable'} | {'gone'}
local job = KEYS[1]
if redis.call('EXISTS', job) == 0 then return {'gone'} end
fail_unreadable(KEYS, ARGV[3], ARGV[1], clock(), tonumber(ARGV[2]))
return {'failed_unreadable'}

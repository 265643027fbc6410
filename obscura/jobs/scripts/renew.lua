-- Extend the lease of a claim.
-- KEYS job, active. ARGV id, step, token, lease, channel, field, value, ...
-- Returns {'renewed'} | {'lost'}
local job, step = KEYS[1], ARGV[2]
if not is_sound(job) then return {'lost'} end
if redis.call('HGET', job, 's:' .. step) ~= 'running'
  or redis.call('HGET', job, 't:' .. step) ~= ARGV[3]
  or ended(redis.call('HGET', job, 'state')) then return {'lost'} end
local lease = clock() + tonumber(ARGV[4])
redis.call('HSET', job, 'l:' .. step, tostring(lease))
redis.call('ZADD', KEYS[2], lease, ARGV[1])
if #ARGV > 5 then
  redis.call('HSET', job, unpack(ARGV, 6))
  publish(ARGV[5], ARGV[1], 'running')
end
return {'renewed'}

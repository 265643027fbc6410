-- Note how an attempt to deliver an event ended.
-- KEYS times of events. ARGV subject, number of the attempt, state, seconds to the next ('' = none), field, value, ...
-- Returns {'settled'} | {'stale'} (withdrawn, or taken again by somebody else)
local key = 'obscura:webhook:' .. ARGV[1]
if redis.call('HGET', key, 'attempts') ~= ARGV[2] then return {'stale'} end
redis.call('HSET', key, 'state', ARGV[3], unpack(ARGV, 5))
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', key, 'next')
else
  local next = clock() + tonumber(ARGV[4])
  redis.call('HSET', key, 'next', tostring(next))
  redis.call('ZADD', KEYS[1], next, ARGV[1])
end
return {'settled'}

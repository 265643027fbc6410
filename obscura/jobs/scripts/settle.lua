-- Record the result of a delivery attempt, and switch a receiver off that failed for too long.
-- KEYS due times of events. ARGV subject, number of the attempt, state, seconds to the next attempt ('' = none),
-- receiver ('taken', 'failed' or '' = unknown), seconds of failure after which a receiver is switched off, seconds
-- between probes of one that is off, field, value, ...
-- Returns {'settled'} | {'switched_off'} | {'stale'} (withdrawn, or taken again by somebody else)
local key, now = 'obscura:webhook:' .. ARGV[1], clock()
if kind_of(key) ~= 'hash' or redis.call('HGET', key, 'attempts') ~= ARGV[2] then return {'stale'} end
redis.call('HSET', key, 'state', ARGV[3], unpack(ARGV, 8))
local owner, url = fields(key, 'owner', 'url')
local times = times_of(owner or '')
if ARGV[4] == '' then
  redis.call('ZREM', times, ARGV[1])
  redis.call('HDEL', key, 'next')
else
  local next = now + tonumber(ARGV[4])
  redis.call('HSET', key, 'next', tostring(next))
  redis.call('ZADD', times, next, ARGV[1])
end
local receiver = receiver_of(owner or '', url)
if ARGV[5] == 'taken' then redis.call('DEL', receiver) end
if ARGV[5] ~= 'failed' then return {'settled'} end
redis.call('HSETNX', receiver, 'failing_since', tostring(now))
redis.call('EXPIRE', receiver, 30 * 86400)
local since, off_until = fields(receiver, 'failing_since', 'off_until')
if now - (number(since) or now) < tonumber(ARGV[6]) then return {'settled'} end
redis.call('HSET', receiver, 'off_until', tostring(now + tonumber(ARGV[7])))
if off_until then return {'settled'} end
count('webhook_receivers_switched_off_total')
return {'switched_off'}

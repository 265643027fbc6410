-- KEYS job, active, expiry, erase. ARGV id, step, token, ttl, channel, code, message
-- Returns {'failed'} | {'stale'}
local job = KEYS[1]
local state = redis.call('HGET', job, 'state')
if not state or ended(state) or redis.call('HGET', job, 's:' .. ARGV[2]) ~= 'running'
  or redis.call('HGET', job, 't:' .. ARGV[2]) ~= ARGV[3] then return {'stale'} end
redis.call('HSET', job, 'error_code', ARGV[6], 'error_message', ARGV[7])
local now, began = clock(), redis.call('HGET', job, 'b:' .. ARGV[2])
observe('step_duration_seconds|' .. ARGV[2] .. '|failed', now - tonumber(began or now))
finish(KEYS, ARGV[5], ARGV[1], 'failed', now, tonumber(ARGV[4]))
return {'failed'}

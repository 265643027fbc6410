-- Fail a job from a claimed step.
-- KEYS job, active, expiry, erase. ARGV id, step, token, ttl, channel, code, message, queue
-- Returns {'failed'} | {'stale'}
local job, now = KEYS[1], clock()
leave_process(ARGV[3], ARGV[8], job, ARGV[2], now)
hand_out(ARGV[8])
hand_out(ARGV[8] .. '.bulk')
if examine(KEYS, ARGV[5], ARGV[1], now, tonumber(ARGV[4])) ~= 'sound' then return {'stale'} end
local state, step_state, token, began = fields(job,
  'state', 's:' .. ARGV[2], 't:' .. ARGV[2], 'b:' .. ARGV[2])
if ended(state) or step_state ~= 'running' or token ~= ARGV[3] then return {'stale'} end
redis.call('HSET', job, 'error_code', ARGV[6], 'error_message', ARGV[7])
observe('step_duration_seconds|' .. ARGV[2] .. '|failed', now - tonumber(began or now))
finish(KEYS, ARGV[5], ARGV[1], 'failed', now, tonumber(ARGV[4]))
return {'failed'}

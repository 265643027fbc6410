-- Complete a claimed step; release the steps of the next stage, or finish the job after the last one.
-- KEYS job, active, expiry, erase. ARGV id, step, token, lease, ttl, channel, queue, field, value, ...
-- Returns {'stale'} | {'waiting'} | {'next', step, ...} | {'done'}
local now = clock()
local job, step = KEYS[1], ARGV[2]
leave_process(ARGV[3], ARGV[7], job, step, now)
hand_out(ARGV[7])
hand_out(ARGV[7] .. '.bulk')
if examine(KEYS, ARGV[6], ARGV[1], now, tonumber(ARGV[5])) ~= 'sound' then return {'stale'} end
local step_state, token, state, began, stages = fields(job,
  's:' .. step, 't:' .. step, 'state', 'b:' .. step, 'stages')
if step_state ~= 'running' or token ~= ARGV[3] or ended(state) then return {'stale'} end
redis.call('HSET', job, 's:' .. step, 'done', unpack(ARGV, 8))
observe('step_duration_seconds|' .. step .. '|done', now - tonumber(began or now))
for stage in string.gmatch(stages, '[^;]+') do
  local is_done = true
  local answer = {'next'}
  for other in string.gmatch(stage, '[^,]+') do
    local other_state = redis.call('HGET', job, 's:' .. other)
    if other_state ~= 'done' then is_done = false end
    if other_state == 'waiting' then
      local lease = now + tonumber(ARGV[4])
      redis.call('HSET', job, 's:' .. other, 'queued', 'l:' .. other, tostring(lease),
        'q:' .. other, tostring(now))
      redis.call('ZADD', KEYS[2], lease, ARGV[1])
      table.insert(answer, other)
    end
  end
  if #answer > 1 or not is_done then
    update_usage(job)
    return #answer > 1 and answer or {'waiting'}
  end
end
finish(KEYS, ARGV[6], ARGV[1], 'done', now, tonumber(ARGV[5]))
return {'done'}

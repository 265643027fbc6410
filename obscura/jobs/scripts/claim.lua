-- Claim a step: give its lease to the holder of ``token`` and count an attempt.
-- KEYS job, active, expiry, erase. ARGV id, step, token, lease, max attempts, takeover, ttl, channel, queue
-- Returns {'claimed', field, value, ...} | {'gone'} | {'busy'} | {'exhausted'}
local function claim(now, job, step)
  if examine(KEYS, ARGV[8], ARGV[1], now, tonumber(ARGV[7])) ~= 'sound' then return {'gone'} end
  local state, step_state, lease_end, released = fields(job, 'state', 's:' .. step, 'l:' .. step, 'q:' .. step)
  if ended(state) then return {'gone'} end
  if step_state ~= 'queued' and step_state ~= 'running' then return {'gone'} end
  if step_state == 'running' and ARGV[6] ~= '1' and tonumber(lease_end) > now then return {'busy'} end
  redis.call('HDEL', job, 'm:' .. step, 'w:' .. step)
  if redis.call('HINCRBY', job, 'a:' .. step, 1) > tonumber(ARGV[5]) then
    redis.call('HSET', job, 'error_code', 'worker_lost',
      'error_message', 'the worker was lost ' .. ARGV[5] .. ' times while working on this photo')
    finish(KEYS, ARGV[8], ARGV[1], 'failed', now, tonumber(ARGV[7]))
    return {'exhausted'}
  end
  if step_state == 'queued' and released then
    local priority = 'interactive'
    if redis.call('SISMEMBER', KEYS[2] .. ':bulk', ARGV[1]) == 1 then priority = 'bulk' end
    observe('task_queue_wait_seconds|' .. ARGV[9] .. '|' .. priority, now - tonumber(released))
  end
  local lease = now + tonumber(ARGV[4])
  redis.call('HSET', job, 's:' .. step, 'running', 'l:' .. step, tostring(lease), 't:' .. step, ARGV[3],
    'state', 'running', 'b:' .. step, tostring(now))
  redis.call('ZADD', KEYS[2], lease, ARGV[1])
  if state ~= 'running' then publish(ARGV[8], ARGV[1], 'running') end
  local record = redis.call('HGETALL', job)
  take_process(ARGV[3], redis.call('HGET', job, 'owner') or '', now)
  table.insert(record, 1, 'claimed')
  return record
end

local answer = claim(clock(), KEYS[1], ARGV[2])
-- The message of this claim left the broker's list: push the next one.
for _, queue in ipairs({ARGV[9], ARGV[9] .. '.bulk'}) do
  if redis.call('LLEN', queue) == 0 then redis.call('HDEL', PUSHED, queue) end
  hand_out(queue)
end
return answer

-- Requeue the steps of a job whose lease expired; fail the job if a step is out of attempts.
-- KEYS job, active, expiry, erase. ARGV id, lease, max attempts, ttl, channel
-- Returns {'gone'} | {'failed_unreadable'} | {'failed'} | {'resend', step, ...} (possibly no step)
local now = clock()
local job, id = KEYS[1], ARGV[1]
local found = examine(KEYS, ARGV[5], id, now, tonumber(ARGV[4]))
if found == 'failed_unreadable' then return {'failed_unreadable'} end
if found == 'none' or ended(redis.call('HGET', job, 'state')) then
  remove_unfinished(KEYS[2], id)
  return {'gone'}
end
local answer = {'resend'}
local next_look = now + tonumber(ARGV[2])
for step in string.gmatch(redis.call('HGET', job, 'stages'), '[^,;]+') do
  local step_state = redis.call('HGET', job, 's:' .. step)
  if step_state == 'queued' or step_state == 'running' then
    local lease = tonumber(redis.call('HGET', job, 'l:' .. step))
    if lease > now then
      next_look = math.min(next_look, lease)
    elseif step_state == 'running' and tonumber(redis.call('HGET', job, 'a:' .. step)) >= tonumber(ARGV[3]) then
      redis.call('HSET', job, 'error_code', 'worker_lost',
        'error_message', 'the worker was lost ' .. ARGV[3] .. ' times while working on this photo')
      finish(KEYS, ARGV[5], id, 'failed', now, tonumber(ARGV[4]))
      return {'failed'}
    else
      redis.call('HSET', job, 's:' .. step, 'queued', 'l:' .. step, tostring(now + tonumber(ARGV[2])))
      if step_state == 'running' then redis.call('HSET', job, 'q:' .. step, tostring(now)) end
      -- A step among the waiting ones is not lost.
      if not is_waiting(job, id, step) then table.insert(answer, step) end
    end
  end
end
redis.call('ZADD', KEYS[2], next_look, id)
return answer

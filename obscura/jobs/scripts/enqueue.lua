-- Add ready steps to the fair queue of the job's owner.
-- KEYS job, queue, ... ARGV id, message, step, ...
-- Returns {'enqueued'} | {'gone'}
local now = clock()
if not is_sound(KEYS[1]) or ended(redis.call('HGET', KEYS[1], 'state')) then return {'gone'} end
for at = 2, #KEYS do enqueue(KEYS[1], ARGV[1], KEYS[at], ARGV[2 * at - 1], ARGV[2 * at - 2], now) end
return {'enqueued'}

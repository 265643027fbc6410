-- Forget a job: row gone, original and result to be erased now.
-- KEYS job, active, expiry, erase, erased. ARGV id, channel, why, seconds
-- Returns {'erased'} | {'gone'}
local job, id = KEYS[1], ARGV[1]
leave(KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
-- A row that is missing without this was lost.
redis.call('SET', KEYS[5], '1', 'EX', ARGV[4])
if redis.call('EXISTS', job) == 0 then return {'gone'} end
local now = clock()
-- One that cannot be read may say anything: it leads to nothing but its own photo and result.
local readable = is_sound(job)
if not readable then redis.call('ZADD', KEYS[4], now, 'photos/' .. id) end
for _, field in ipairs({'photo', 'picture'}) do
  local key = salvaged(job, field)
  if key and (readable or string.find(key, id, 1, true)) then redis.call('ZADD', KEYS[4], now, key) end
end
hold(salvaged(job, 'owner'), -(number(salvaged(job, 'held') or '0') or 0))
-- What has expired may still be on its way to be told; what was deleted is nobody's business any more.
if ARGV[3] ~= 'expired' then unannounce('task:' .. id) end
leave_batch(salvaged(job, 'batch'), id, now)
local known_by = readable and salvaged(job, 'idempotency')
if known_by then redis.call('DEL', known_by) end
redis.call('DEL', job)
note(ARGV[3], id)
publish(ARGV[2], id, 'erased')
return {'erased'}

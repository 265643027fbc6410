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
for _, field in ipairs({'photo', 'picture'}) do
  local key = redis.call('HGET', job, field)
  if key then redis.call('ZADD', KEYS[4], now, key) end
end
-- What has expired may still be on its way to be told; what was deleted is nobody's business any more.
if ARGV[3] ~= 'expired' then unannounce('task:' .. id) end
leave_batch(redis.call('HGET', job, 'batch'), id, now)
local known_by = redis.call('HGET', job, 'idempotency')
if known_by then redis.call('DEL', known_by) end
redis.call('DEL', job)
note(ARGV[3], id)
publish(ARGV[2], id, 'erased')
return {'erased'}

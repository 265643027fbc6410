-- Forget a job: row gone, original and result to be erased now.
-- KEYS job, active, expiry, erase. ARGV id, channel, why
-- Returns {'erased'} | {'gone'}
local job, id = KEYS[1], ARGV[1]
leave(KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
if redis.call('EXISTS', job) == 0 then return {'gone'} end
local now = clock()
for _, field in ipairs({'photo', 'picture'}) do
  local key = redis.call('HGET', job, field)
  if key then redis.call('ZADD', KEYS[4], now, key) end
end
redis.call('DEL', job)
note(ARGV[3], id)
publish(ARGV[2], id, 'erased')
return {'erased'}

-- KEYS job, active, idempotency ('' = none). ARGV id, limit, lease, idempotency value, ttl, field, value, ...
-- Returns {'created'} | {'full'} | {'same', id of the earlier job} | {'conflict'}
local now = clock()
if KEYS[3] ~= '' then
  local earlier = redis.call('GET', KEYS[3])
  if earlier then
    local split = string.find(earlier, ' ', 1, true)
    if string.sub(earlier, split + 1) ~= ARGV[4] then return {'conflict'} end
    return {'same', string.sub(earlier, 1, split - 1)}
  end
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return {'full'} end
redis.call('HSET', KEYS[1], 'state', 'queued', 'created', tostring(now), unpack(ARGV, 6))
for step in string.gmatch(redis.call('HGET', KEYS[1], 'stages'), '[^,;]+') do
  if redis.call('HGET', KEYS[1], 's:' .. step) == 'queued' then
    redis.call('HSET', KEYS[1], 'l:' .. step, tostring(now + tonumber(ARGV[3])))
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[4], 'EX', ARGV[5]) end
return {'created'}

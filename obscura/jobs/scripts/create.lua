-- KEYS job, active, idempotency ('' = none), list of a message, ...
-- ARGV id, 'bulk', 'video' or '', limit of its lane, lease, idempotency value, ttl, prefix of rows, message, ...,
-- field, value, ...
-- Returns {'created'} | {'full'} | {'same', id of the earlier job} | {'conflict'}
local now = clock()
if KEYS[3] ~= '' then
  local earlier = redis.call('GET', KEYS[3])
  if earlier then
    local split = string.find(earlier, ' ', 1, true)
    local earlier_id = string.sub(earlier, 1, split - 1)
    -- A job that was erased or has expired answers nothing any more: the key is free again.
    if redis.call('EXISTS', ARGV[7] .. earlier_id) == 1 then
      if string.sub(earlier, split + 1) ~= ARGV[5] then return {'conflict'} end
      return {'same', earlier_id}
    end
  end
end
local depth
if ARGV[2] == '' then
  depth = redis.call('ZCARD', KEYS[2])
  for _, lane in ipairs(lanes) do depth = depth - redis.call('SCARD', KEYS[2] .. ':' .. lane) end
else
  depth = redis.call('SCARD', KEYS[2] .. ':' .. ARGV[2])
end
if depth >= tonumber(ARGV[3]) then return {'full'} end
redis.call('HSET', KEYS[1], 'state', 'queued', 'created', tostring(now), unpack(ARGV, 5 + #KEYS))
local kind, owner, stages, batch = fields(KEYS[1], 'kind', 'owner', 'stages', 'batch')
for step in string.gmatch(stages, '[^,;]+') do
  if redis.call('HGET', KEYS[1], 's:' .. step) == 'queued' then
    redis.call('HSET', KEYS[1], 'l:' .. step, tostring(now + tonumber(ARGV[4])),
      'q:' .. step, tostring(now))
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
if ARGV[2] ~= '' then redis.call('SADD', KEYS[2] .. ':' .. ARGV[2], ARGV[1]) end
if batch then
  redis.call('SADD', 'obscura:batch:' .. batch .. ':open', ARGV[1])
  redis.call('EXPIRE', 'obscura:batch:' .. batch .. ':open', ARGV[6])
end
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[5], 'EX', ARGV[6]) end
count('tasks_total|' .. kind .. '|accepted')
note('accepted', ARGV[1], 'kind', kind, 'owner', owner)
for number = 4, #KEYS do redis.call('LPUSH', KEYS[number], ARGV[4 + number]) end
return {'created'}

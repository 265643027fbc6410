-- KEYS job, active, idempotency ('' = none), list of a message, ...
-- ARGV id, 'bulk', 'video' or '', limit of its lane, lease, idempotency value, ttl, prefix of rows,
-- share of one owner, most bytes of one owner (0 = the share of the server's memory), message, step, ...,
-- field, value, ...
-- Returns {'created'} | {'full'} | {'share', 'queue' or 'store', limit} | {'same', id of the earlier job}
-- | {'conflict'}
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
local messages = #KEYS - 3
local row = {}
for at = 10 + 2 * messages, #ARGV, 2 do row[ARGV[at]] = ARGV[at + 1] end
local owner, lane, limit, share = row.owner, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[8])
local depth
if lane == '' then
  depth = redis.call('ZCARD', KEYS[2])
  for _, other in ipairs(lanes) do depth = depth - redis.call('SCARD', KEYS[2] .. ':' .. other) end
else
  depth = redis.call('SCARD', KEYS[2] .. ':' .. lane)
end
if depth >= limit then return {'full'} end
local own = tonumber(redis.call('HGET', KEYS[2] .. ':counts', lane .. ' ' .. owner) or 0)
if not is_within_share(owner, share, limit, depth, own) then return {'share', 'queue', tostring(own)} end
local held = full_share(owner, share, tonumber(ARGV[9]))
if held then return {'share', 'store', held} end
redis.call('HSET', KEYS[1], 'state', 'queued', 'created', tostring(now), unpack(ARGV, 10 + 2 * messages))
for step in string.gmatch(row.stages, '[^,;]+') do
  if row['s:' .. step] == 'queued' then
    redis.call('HSET', KEYS[1], 'l:' .. step, tostring(now + tonumber(ARGV[4])),
      'q:' .. step, tostring(now))
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
join(KEYS[2], ARGV[1], lane, owner)
if lane ~= '' then redis.call('SADD', KEYS[2] .. ':' .. lane, ARGV[1]) end
if row.batch then
  redis.call('SADD', 'obscura:batch:' .. row.batch .. ':open', ARGV[1])
  redis.call('EXPIRE', 'obscura:batch:' .. row.batch .. ':open', ARGV[6])
end
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[5], 'EX', ARGV[6]) end
count('tasks_total|' .. row.kind .. '|accepted')
note('accepted', ARGV[1], 'kind', row.kind, 'owner', owner)
for at = 1, messages do
  enqueue(KEYS[1], ARGV[1], KEYS[3 + at], ARGV[9 + 2 * at], ARGV[8 + 2 * at], now)
end
measure(KEYS[1])
return {'created'}

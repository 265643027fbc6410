-- Create a job record and enqueue its first messages, unless a limit or an Idempotency-Key refuses it.
-- KEYS job, active, idempotency ('' = none), priority queue of a message, ...
-- ARGV id, limit group ('bulk', 'video' or ''), most unfinished jobs of the group, lease, idempotency value, ttl,
-- prefix of job keys, share of one owner, most bytes of one owner (see full_share), message, step, ..., field,
-- value, ...
-- Returns {'created'} | {'full'} | {'share', 'queue' or 'store', limit} | {'same', id of the earlier job}
-- | {'conflict'}
local now = clock()
if KEYS[3] ~= '' then
  local earlier = redis.call('GET', KEYS[3])
  if earlier then
    local split = string.find(earlier, ' ', 1, true)
    local earlier_id = string.sub(earlier, 1, split - 1)
    -- If the earlier job was erased or has expired, the Idempotency-Key is free again.
    if redis.call('EXISTS', ARGV[7] .. earlier_id) == 1 then
      if string.sub(earlier, split + 1) ~= ARGV[5] then return {'conflict'} end
      return {'same', earlier_id}
    end
  end
end
local messages = #KEYS - 3
local record = {}
for at = 10 + 2 * messages, #ARGV, 2 do record[ARGV[at]] = ARGV[at + 1] end
local owner, limit_group, limit, share = record.owner, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[8])
local depth
if limit_group == '' then
  depth = redis.call('ZCARD', KEYS[2])
  for _, other in ipairs(LIMIT_GROUPS) do depth = depth - redis.call('SCARD', KEYS[2] .. ':' .. other) end
else
  depth = redis.call('SCARD', KEYS[2] .. ':' .. limit_group)
end
if depth >= limit then return {'full'} end
local own = tonumber(redis.call('HGET', KEYS[2] .. ':counts', limit_group .. ' ' .. owner) or 0)
if not is_within_share(owner, share, limit, depth, own) then return {'share', 'queue', tostring(own)} end
local held = full_share(owner, share, tonumber(ARGV[9]))
if held then return {'share', 'store', held} end
redis.call('HSET', KEYS[1], 'state', 'queued', 'created', tostring(now), unpack(ARGV, 10 + 2 * messages))
for step in string.gmatch(record.stages, '[^,;]+') do
  if record['s:' .. step] == 'queued' then
    redis.call('HSET', KEYS[1], 'l:' .. step, tostring(now + tonumber(ARGV[4])),
      'q:' .. step, tostring(now))
  end
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
add_unfinished(KEYS[2], ARGV[1], limit_group, owner)
if limit_group ~= '' then redis.call('SADD', KEYS[2] .. ':' .. limit_group, ARGV[1]) end
if record.batch then
  redis.call('SADD', 'obscura:batch:' .. record.batch .. ':open', ARGV[1])
  redis.call('EXPIRE', 'obscura:batch:' .. record.batch .. ':open', ARGV[6])
end
if KEYS[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[5], 'EX', ARGV[6]) end
count('tasks_total|' .. record.kind .. '|accepted')
audit('accepted', ARGV[1], 'kind', record.kind, 'owner', owner)
for at = 1, messages do
  enqueue(KEYS[1], ARGV[1], KEYS[3 + at], ARGV[9 + 2 * at], ARGV[8 + 2 * at], now)
end
update_usage(KEYS[1])
return {'created'}

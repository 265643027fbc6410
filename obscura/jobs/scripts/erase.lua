-- Erase a job record and schedule the erasure of its original and result for now.
-- KEYS job, active, expiry, erase, erased. ARGV id, channel, why, seconds
-- Returns {'erased'} | {'gone'}
local job, id = KEYS[1], ARGV[1]
remove_unfinished(KEYS[2], id)
redis.call('ZREM', KEYS[3], id)
-- Marks the record as erased: a missing record without this mark was lost.
redis.call('SET', KEYS[5], '1', 'EX', ARGV[4])
if redis.call('EXISTS', job) == 0 then return {'gone'} end
local now = clock()
-- An unreadable record may name any key: erase only keys that contain its id.
local readable = is_sound(job)
if not readable then redis.call('ZADD', KEYS[4], now, 'photos/' .. id) end
for _, field in ipairs({'photo', 'picture'}) do
  local key = short_field(job, field)
  if key and (readable or string.find(key, id, 1, true)) then redis.call('ZADD', KEYS[4], now, key) end
end
add_usage(short_field(job, 'owner'), -(number(short_field(job, 'held') or '0') or 0))
-- The event of an expired job may still be in delivery; that of a deleted one is withdrawn.
if ARGV[3] ~= 'expired' then remove_event('task:' .. id) end
leave_batch(short_field(job, 'batch'), id, now)
local known_by = readable and short_field(job, 'idempotency')
if known_by then redis.call('DEL', known_by) end
redis.call('DEL', job)
audit(ARGV[3], id)
publish(ARGV[2], id, 'erased')
return {'erased'}

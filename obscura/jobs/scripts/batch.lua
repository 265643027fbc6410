-- Create the record of a batch after all its jobs were created.
-- KEYS batch. ARGV id, owner, entries, fingerprint ('' = sent without an Idempotency-Key), webhook ('' = none), ttl,
-- share of one owner, most bytes of one owner (see full_share)
-- Returns {'stored'} | {'conflict'} | {'share', 'store', bytes}
local now = clock()
if kind_of(KEYS[1]) ~= 'hash' then redis.call('DEL', KEYS[1]) end
local known = redis.call('HGET', KEYS[1], 'fingerprint')
local held = full_share(ARGV[2], tonumber(ARGV[7]), tonumber(ARGV[8]))
if held then return {'share', 'store', held} end
if known and known ~= ARGV[4] then return {'conflict'} end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'entries', ARGV[3], 'fingerprint', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'webhook', ARGV[5]) end
redis.call('EXPIRE', KEYS[1], ARGV[6])
add_usage(ARGV[2], #ARGV[3] + 500)
add_batch_event(ARGV[1], now)
return {'stored'}

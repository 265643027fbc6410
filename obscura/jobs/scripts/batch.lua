-- Enter a batch, all of whose jobs have been entered.
-- KEYS batch. ARGV id, owner, entries, fingerprint ('' = sent without an Idempotency-Key), webhook ('' = none), ttl
-- Returns {'stored'} | {'conflict'}
local now = clock()
local known = redis.call('HGET', KEYS[1], 'fingerprint')
if known and known ~= ARGV[4] then return {'conflict'} end
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'entries', ARGV[3], 'fingerprint', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'webhook', ARGV[5]) end
redis.call('EXPIRE', KEYS[1], ARGV[6])
announce_batch(ARGV[1], now)
return {'stored'}

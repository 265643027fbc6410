#!lua flags=allow-oom
-- Return the record of a key if the digest matches and it has not expired, and update its last use.
-- One script, so that a key that is revoked meanwhile is not written back.
-- KEYS key. ARGV digest, resolution of the last use in seconds
if redis.call('HGET', KEYS[1], 'digest') ~= ARGV[1] then return {} end
local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('HGET', KEYS[1], 'expires')
if expires and expires ~= '' and tonumber(expires) <= now then return {} end
local last_used = tonumber(redis.call('HGET', KEYS[1], 'last_used') or '0')
if now - last_used >= tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'last_used', tostring(now)) end
return redis.call('HGETALL', KEYS[1])

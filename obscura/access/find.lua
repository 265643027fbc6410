#!lua flags=allow-oom
-- Return a key's row where the digest is its own and its time is not over; note that it was used.
-- In one script, so that a key revoked meanwhile is not written back.
-- KEYS key. ARGV digest, step of the last use in seconds
if redis.call('HGET', KEYS[1], 'digest') ~= ARGV[1] then return {} end
local now = tonumber(redis.call('TIME')[1])
local expires = redis.call('HGET', KEYS[1], 'expires')
if expires and expires ~= '' and tonumber(expires) <= now then return {} end
local last_used = tonumber(redis.call('HGET', KEYS[1], 'last_used') or '0')
if now - last_used >= tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'last_used', tostring(now)) end
return redis.call('HGETALL', KEYS[1])

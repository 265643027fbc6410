-- Take events whose time has come; whoever dies with one leaves it to the next after the lease.
-- KEYS times of events. ARGV limit, lease, seconds that a row is kept
-- Returns {JSON of a row, ...}
local now = clock()
local taken = {}
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', tostring(now), 'LIMIT', 0, ARGV[1])) do
  local key = 'obscura:webhook:' .. subject
  if redis.call('EXISTS', key) == 0 then
    redis.call('ZREM', KEYS[1], subject)
  else
    redis.call('HINCRBY', key, 'attempts', 1)
    redis.call('EXPIRE', key, ARGV[3])
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), subject)
    local row = {subject = subject, now = now}
    local fields = redis.call('HGETALL', key)
    for at = 1, #fields, 2 do row[fields[at]] = fields[at + 1] end
    table.insert(taken, cjson.encode(row))
  end
end
return taken

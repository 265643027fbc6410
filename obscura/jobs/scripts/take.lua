-- Take due webhook events; if the gateway dies, they are due again after the lease.
-- KEYS due times of events. ARGV most in all, most of one owner, lease, lifetime of an event's record in seconds,
-- seconds between probes of a receiver that is off, owner, number of its events in delivery, ...
-- Returns {JSON of a record, ...}; ``off`` is set in those whose receiver is switched off
local now = clock()
local busy, taken = {}, {}
for at = 6, #ARGV, 2 do busy[ARGV[at]] = tonumber(ARGV[at + 1]) end

-- Whether the receiver of an event is switched off; one event per probe interval is let through.
local function is_off(owner, url)
  local receiver = receiver_of(owner, url)
  local off_until = number(redis.call('HGET', receiver, 'off_until'))
  if not off_until then return false end
  if off_until > now then return true end
  redis.call('HSET', receiver, 'off_until', tostring(now + tonumber(ARGV[5])))
  return false
end

local function is_readable(key)
  if kind_of(key) ~= 'hash' then return false end
  local message, url, created, attempts, state = fields(key, 'message', 'url', 'created', 'attempts', 'state')
  return message and url and state and number(created) and is_count(attempts) or false
end

local function take(subject, owner, times)
  local key = 'obscura:webhook:' .. subject
  if not is_readable(key) then
    if redis.call('DEL', key) == 1 then count('records_unreadable_total') end
    redis.call('ZREM', times, subject)
    return
  end
  redis.call('HINCRBY', key, 'attempts', 1)
  redis.call('EXPIRE', key, ARGV[4])
  redis.call('ZADD', times, now + tonumber(ARGV[3]), subject)
  local record = {subject = subject, now = now}
  local content = redis.call('HGETALL', key)
  for at = 1, #content, 2 do record[content[at]] = content[at + 1] end
  record.owner = owner
  if is_off(owner, record.url) then record.off = '1' end
  table.insert(taken, cjson.encode(record))
end

-- Events of an earlier release have no owner.
if redis.call('EXISTS', WEBHOOKS) == 1 then redis.call('SADD', WEBHOOKS .. '.owners', '') end
local owners = redis.call('SMEMBERS', WEBHOOKS .. '.owners')
for _, owner in ipairs(owners) do
  local times = times_of(owner)
  local room = math.min(tonumber(ARGV[2]) - (busy[owner] or 0), tonumber(ARGV[1]) - #taken)
  if room > 0 then
    for _, subject in ipairs(redis.call('ZRANGEBYSCORE', times, '-inf', tostring(now), 'LIMIT', 0, room)) do
      take(subject, owner, times)
    end
  end
  if redis.call('EXISTS', times) == 0 then redis.call('SREM', WEBHOOKS .. '.owners', owner) end
end
return taken

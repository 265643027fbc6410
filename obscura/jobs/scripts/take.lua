-- Take events whose time has come; whoever dies with one leaves it to the next after the lease.
-- KEYS times of events. ARGV most in all, most of one owner, lease, seconds that a row is kept, seconds for which
-- a receiver is off, owner, number of its events that are under way already, ...
-- Returns {JSON of a row, ...}; ``off`` is set in those whose receiver is switched off
local now = clock()
local busy, taken = {}, {}
for at = 6, #ARGV, 2 do busy[ARGV[at]] = tonumber(ARGV[at + 1]) end

-- Whether the receiver of an event is switched off; once in a while one event is let through to see.
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
  local row = {subject = subject, now = now}
  local content = redis.call('HGETALL', key)
  for at = 1, #content, 2 do row[content[at]] = content[at + 1] end
  row.owner = owner
  if is_off(owner, row.url) then row.off = '1' end
  table.insert(taken, cjson.encode(row))
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

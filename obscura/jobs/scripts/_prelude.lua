-- Shared by all scripts of the job ledger. Time is the server's own, so that clocks need not agree.
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1000000
end

-- Read fields of a row in one call; one that is not there is false.
local function fields(job, ...)
  return unpack(redis.call('HMGET', job, ...))
end

local function ended(state)
  return state == 'done' or state == 'failed'
end

local function publish(channel, id, news)
  redis.call('PUBLISH', channel, id .. ' ' .. news)
end

-- The row of a job that has ended, for whoever waits for it; a long one is read by those who want it.
local MOST_TOLD = 16384
local function told(job)
  local row, length = redis.call('HGETALL', job), 0
  for _, text in ipairs(row) do length = length + #text end
  return length > MOST_TOLD and '' or ' ' .. cjson.encode(row)
end

-- Leave a record for the audit log, which a gateway moves into its file, and count it.
-- No record ever holds more than ids, times and codes.
local function note(event, id, ...)
  redis.call('XADD', 'obscura:audit', '*', 'event', event, 'job', id, ...)
  redis.call('HINCRBY', 'obscura:counters', event, 1)
end

-- Count for /metrics, in the same step as the change that is counted. Names and labels are those of
-- obscura/observability/catalogue.py; BOUNDS, the bounds of all durations, are set in front of this file.
local function count(series)
  redis.call('HINCRBY', 'obscura:metrics', series, 1)
end

local function observe(series, seconds)
  seconds = math.max(0, seconds)
  local found = '+Inf'
  for _, bound in ipairs(BOUNDS) do
    if seconds <= tonumber(bound) then
      found = bound
      break
    end
  end
  count(series .. '|' .. found)
  redis.call('HINCRBY', 'obscura:metrics', series .. '|sum', string.format('%d', seconds * 1000000))
end

-- Jobs of these lanes stand in a set of their own as well, which bounds the lane.
local lanes = {'bulk', 'video'}

-- Forget that a job is unfinished.
local function leave(active, id)
  redis.call('ZREM', active, id)
  for _, lane in ipairs(lanes) do redis.call('SREM', active .. ':' .. lane, id) end
end

-- Enter an event for an address that the caller named: a gateway delivers it until it is taken or its time
-- has run out. ``subject`` is ``task:ID`` or ``batch:ID``; an event is entered once.
local function announce(subject, url, now, ...)
  local key = 'obscura:webhook:' .. subject
  if redis.call('EXISTS', key) == 1 then return end
  local message = string.gsub(subject, ':', '_') .. string.format('_%.0f', now * 1000)
  redis.call('HSET', key, 'message', message, 'url', url, 'created', tostring(now), 'attempts', '0',
    'state', 'pending', ...)
  redis.call('ZADD', 'obscura:webhooks', now, subject)
end

-- Forget an event that is no longer wanted.
local function unannounce(subject)
  redis.call('ZREM', 'obscura:webhooks', subject)
  redis.call('DEL', 'obscura:webhook:' .. subject)
end

-- Announce a batch whose last open job has ended, once all of it was entered.
local function announce_batch(batch, now)
  local url = redis.call('HGET', 'obscura:batch:' .. batch, 'webhook')
  if url and redis.call('EXISTS', 'obscura:batch:' .. batch .. ':open') == 0 then
    announce('batch:' .. batch, url, now)
  end
end

-- Strike a job off the open ones of its batch, where somebody waits to hear of that batch.
local function leave_batch(batch, id, now)
  if batch and redis.call('SREM', 'obscura:batch:' .. batch .. ':open', id) == 1 then
    announce_batch(batch, now)
  end
end

-- Move a job to an end state: no more steps, original to be erased, row and result kept for ttl seconds
-- (or for as long as the row itself says, where that is less).
-- keys: job, active, expiry, erase; the channel is an argument.
local function finish(keys, channel, id, state, now, ttl)
  local job, active, expiry, erase = keys[1], keys[2], keys[3], keys[4]
  redis.call('HSET', job, 'state', state, 'finished', tostring(now))
  leave(active, id)
  local kind, created, photo, retain, own_ttl, code, url, batch = fields(job,
    'kind', 'created', 'photo', 'retain', 'ttl', 'error_code', 'webhook', 'batch')
  code = code or ''
  redis.call('ZADD', expiry, now + math.min(ttl, tonumber(own_ttl or ttl)), id)
  if photo then
    if state ~= 'done' then retain = 0 end
    redis.call('ZADD', erase, now + tonumber(retain or 0), photo)
  end
  count('tasks_total|' .. kind .. '|' .. state)
  observe('task_duration_seconds|' .. kind .. '|' .. state, now - tonumber(created))
  if code ~= '' then count('task_failures_total|' .. kind .. '|' .. code) end
  note(state, id, 'code', code)
  if url then announce('task:' .. id, url, now, 'status', state, 'code', code) end
  leave_batch(batch, id, now)
  publish(channel, id, state .. told(job))
end

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

local function kind_of(key)
  return redis.call('TYPE', key).ok
end

-- A finite number, or nil.
local function number(text)
  local value = text and tonumber(text)
  return value and value == value and math.abs(value) < 1e15 and value or nil
end

-- Whether a text is what HINCRBY can count on from.
local function is_count(text)
  return text and #text < 10 and string.match(text, '^%d+$') ~= nil or false
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

-- Note that a job of an owner is unfinished: unfinished jobs are counted for each lane and owner.
local function join(active, id, lane, owner)
  local group = lane .. ' ' .. owner
  if redis.call('HSETNX', active .. ':groups', id, group) == 1 then
    redis.call('HINCRBY', active .. ':counts', group, 1)
  end
end

-- Forget that a job is unfinished.
local function leave(active, id)
  redis.call('ZREM', active, id)
  for _, lane in ipairs(lanes) do redis.call('SREM', active .. ':' .. lane, id) end
  local group = redis.call('HGET', active .. ':groups', id)
  if group then
    redis.call('HDEL', active .. ':groups', id)
    if redis.call('HINCRBY', active .. ':counts', group, -1) <= 0 then
      redis.call('HDEL', active .. ':counts', group)
    end
  end
end

-- What an owner may take of ``total`` places of which all together hold ``used`` and the owner ``own``: a
-- share of what the others leave, so that there is always something left for the next. Nobody in particular
-- (no keys are asked for) may take all.
local function is_within_share(owner, share, total, used, own)
  if owner == '' then return true end
  return own < math.max(1, share * (total - (used - own)))
end

-- Add to the bytes that the records of an owner take; a gateway measures them anew now and then.
local HELD = 'obscura:held'
local function hold(owner, bytes)
  if owner and owner ~= '' then redis.call('HINCRBY', HELD, owner, string.format('%.0f', bytes)) end
end

-- What an owner's records take where that is the owner's share of the store already; else nil. ``most`` bytes are
-- the share; 0: what is_within_share says of the server's memory, where that is bounded.
local function full_share(owner, share, most)
  if owner == '' then return nil end
  local held = number(redis.call('HGET', HELD, owner)) or 0
  if most > 0 then return held >= most and string.format('%.0f', held) or nil end
  local memory = redis.call('INFO', 'memory')
  local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
  local total = tonumber(string.match(memory, 'maxmemory:(%d+)'))
  if total == 0 or is_within_share(owner, share, total, used, held) then return nil end
  return string.format('%.0f', held)
end

-- Note how many bytes a job's record takes now.
local function measure(job)
  local owner, before = fields(job, 'owner', 'held')
  local now = redis.call('MEMORY', 'USAGE', job, 'SAMPLES', 0) or 0
  hold(owner, now - (number(before) or 0))
  redis.call('HSET', job, 'held', string.format('%d', now))
end

-- Steps wait in a list for each lane and owner, and owners take turns: the message of the next step is laid on
-- the broker's list of the lane when that holds fewer than AHEAD. ``turns`` holds for every owner where their next
-- step begins on a scale of work handed out, in the unit of a job's cost; the least is next, and NOW notes where
-- the last one began (start-time fair queueing). An owner without a waiting step stays there until it would be
-- their turn, so that nobody gains by coming and going.
local NOW = 'obscura:turns'
local AHEAD = 1
local function turns_of(lane) return 'obscura:turns:' .. lane end
local function waiting_of(lane, owner) return 'obscura:waiting:' .. lane .. ':' .. owner end

-- Lay the next message of an owner on the broker's list; return its cost, 0 where nobody waits for it any
-- more, or nil where the owner has no step left.
local function hand_out_one(lane, owner)
  local entry = redis.call('ZPOPMIN', waiting_of(lane, owner))[1]
  if not entry then return nil end
  local id, step = string.match(entry, '^(%S+) (%S+)$')
  local job = 'obscura:job:' .. (id or '')
  if not id or kind_of(job) ~= 'hash' then return 0 end
  local text, step_state, state, cost = fields(job, 'm:' .. step, 's:' .. step, 'state', 'cost')
  redis.call('HDEL', job, 'm:' .. step, 'w:' .. step)
  if not text or step_state ~= 'queued' or ended(state) then return 0 end
  redis.call('LPUSH', lane, text)
  return math.max(0.01, number(cost) or 1)
end

local function hand_out(lane)
  local turns = turns_of(lane)
  while redis.call('LLEN', lane) < AHEAD do
    local first = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')
    if #first == 0 then return end
    local cost = hand_out_one(lane, first[1])
    redis.call('HSET', NOW, lane, first[2])
    if cost then redis.call('ZADD', turns, tonumber(first[2]) + cost, first[1])
    else redis.call('ZREM', turns, first[1]) end
  end
end

-- Give an owner turns in a lane, from now on.
local function take_turns(lane, owner)
  local begin = redis.call('HGET', NOW, lane) or redis.call('ZRANGE', turns_of(lane), 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', turns_of(lane), 'NX', begin or 0, owner)
end

-- Put a step with its message among the waiting ones of its owner; one that waits already keeps its place.
local function enqueue(job, id, lane, step, text, now)
  local owner = redis.call('HGET', job, 'owner') or ''
  redis.call('HSET', job, 'm:' .. step, text, 'w:' .. step, lane)
  redis.call('ZADD', waiting_of(lane, owner), 'NX', string.format('%.6f', now), id .. ' ' .. step)
  take_turns(lane, owner)
  hand_out(lane)
end

-- Whether a step of a job waits for its turn. Where it does, its owner is given turns again: they may be lost.
local function is_waiting(job, id, step)
  local lane, owner = fields(job, 'w:' .. step, 'owner')
  if not lane or not redis.call('ZSCORE', waiting_of(lane, owner or ''), id .. ' ' .. step) then return false end
  take_turns(lane, owner or '')
  hand_out(lane)
  return true
end

-- Enter an event for an address that the caller named: a gateway delivers it until it is taken or its time
-- has run out. ``subject`` is ``task:ID`` or ``batch:ID``; an event is entered once.
-- Events that are due are kept by owner.
local WEBHOOKS = 'obscura:webhooks'
local function times_of(owner) return owner == '' and WEBHOOKS or WEBHOOKS .. ':' .. owner end

local function announce(subject, owner, url, now, ...)
  local key = 'obscura:webhook:' .. subject
  if redis.call('EXISTS', key) == 1 then return end
  local message = string.gsub(subject, ':', '_') .. string.format('_%.0f', now * 1000)
  redis.call('HSET', key, 'message', message, 'url', url, 'created', tostring(now), 'attempts', '0',
    'state', 'pending', 'owner', owner, ...)
  redis.call('ZADD', times_of(owner), now, subject)
  redis.call('SADD', WEBHOOKS .. '.owners', owner)
end

-- Forget an event that is no longer wanted.
local function unannounce(subject)
  local key = 'obscura:webhook:' .. subject
  local owner = kind_of(key) == 'hash' and redis.call('HGET', key, 'owner') or ''
  redis.call('ZREM', times_of(owner), subject)
  redis.call('DEL', key)
end

-- Where it is noted how long the receiver of an owner's events has failed: it is known by scheme, host and port.
local function receiver_of(owner, url)
  return 'obscura:receiver:' .. owner .. ' ' .. (string.match(url or '', '^%a+://[^/?#]+') or '')
end

-- Announce a batch whose last open job has ended, once all of it was entered.
local function announce_batch(batch, now)
  local row = 'obscura:batch:' .. batch
  if kind_of(row) ~= 'hash' then return end
  local url, owner = fields(row, 'webhook', 'owner')
  if url and redis.call('EXISTS', row .. ':open') == 0 then
    announce('batch:' .. batch, owner or '', url, now)
  end
end

-- Strike a job off the open ones of its batch, where somebody waits to hear of that batch.
local function leave_batch(batch, id, now)
  local open = batch and 'obscura:batch:' .. batch .. ':open'
  if open and kind_of(open) == 'set' and redis.call('SREM', open, id) == 1 then
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
  local kind, created, photo, retain, own_ttl, code, url, batch, stages, owner = fields(job,
    'kind', 'created', 'photo', 'retain', 'ttl', 'error_code', 'webhook', 'batch', 'stages', 'owner')
  code = code or ''
  for step in string.gmatch(stages, '[^,;]+') do redis.call('HDEL', job, 'm:' .. step, 'w:' .. step) end
  redis.call('ZADD', expiry, now + math.min(ttl, tonumber(own_ttl or ttl)), id)
  if photo then
    if state ~= 'done' then retain = 0 end
    redis.call('ZADD', erase, now + tonumber(retain or 0), photo)
  end
  count('tasks_total|' .. kind .. '|' .. state)
  observe('task_duration_seconds|' .. kind .. '|' .. state, now - tonumber(created))
  if code ~= '' then count('task_failures_total|' .. kind .. '|' .. code) end
  note(state, id, 'code', code)
  if url then announce('task:' .. id, owner or '', url, now, 'status', state, 'code', code) end
  leave_batch(batch, id, now)
  measure(job)
  publish(channel, id, state .. told(job))
end

local STATES = {queued = true, running = true, done = true, failed = true}
local STEP_STATES = {waiting = true, queued = true, running = true, done = true}

-- Whether a step has what scripts calculate with.
local function is_sound_step(job, step)
  local state, lease, token, attempts, began, released = fields(job,
    's:' .. step, 'l:' .. step, 't:' .. step, 'a:' .. step, 'b:' .. step, 'q:' .. step)
  if not STEP_STATES[state] then return false end
  if attempts and not is_count(attempts) then return false end
  for _, text in ipairs({lease or '0', began or '0', released or '0'}) do
    if not number(text) then return false end
  end
  if (state == 'queued' or state == 'running') and not lease then return false end
  return state ~= 'running' or (token and attempts and true or false)
end

-- Whether the scripts can work with a job's record; what is in its longer fields is for its readers to see.
local function is_sound(job)
  if kind_of(job) ~= 'hash' then return false end
  local state, created, stages, kind, options, photo, ttl, retain, finished = fields(job,
    'state', 'created', 'stages', 'kind', 'options', 'photo', 'ttl', 'retain', 'finished')
  if not STATES[state] or not number(created) or not (stages and kind and options and photo) then return false end
  if not number(ttl or '0') or not number(retain or '0') then return false end
  if not string.match(kind, '^[%l_]+$') then return false end
  if ended(state) then return number(finished) ~= nil end
  for step in string.gmatch(stages, '[^,;]+') do
    if not is_sound_step(job, step) then return false end
  end
  return string.find(stages, '[^,;]') ~= nil
end

-- What a damaged record still says, where it is a text of reasonable length.
local function salvaged(job, name)
  if kind_of(job) ~= 'hash' then return false end
  local length = redis.call('HSTRLEN', job, name)
  return length > 0 and length < 4096 and redis.call('HGET', job, name)
end

-- End a job whose record cannot be read as a failure: what stands in its place can be read and erased like any
-- other, its original and its result are due to be erased, and nobody looks at it as unfinished any more.
-- keys as for finish.
local function fail_unreadable(keys, channel, id, now, ttl)
  local job = keys[1]
  local owner, url, batch = salvaged(job, 'owner') or '', salvaged(job, 'webhook'), salvaged(job, 'batch')
  local picture, held = salvaged(job, 'picture'), number(salvaged(job, 'held') or '0') or 0
  local result = 'results/' .. id
  redis.call('DEL', job)
  redis.call('HSET', job, 'kind', 'detect', 'state', 'failed', 'options', '{}', 'owner', owner, 'stages', '',
    'photo', 'photos/' .. id, 'created', tostring(now), 'finished', tostring(now),
    'error_code', 'record_unreadable', 'error_message', UNREADABLE)
  hold(owner, -held)
  leave(keys[2], id)
  redis.call('ZADD', keys[3], now + ttl, id)
  redis.call('ZADD', keys[4], now, 'photos/' .. id)
  if picture and string.sub(picture, 1, #result) == result then redis.call('ZADD', keys[4], now, picture) end
  count('records_unreadable_total')
  count('tasks_total|detect|failed')
  count('task_failures_total|detect|record_unreadable')
  note('failed', id, 'code', 'record_unreadable')
  if url then announce('task:' .. id, owner, url, now, 'status', 'failed', 'code', 'record_unreadable') end
  leave_batch(batch, id, now)
  publish(channel, id, 'failed' .. told(job))
end

-- Say whether a record is there and can be worked on; one that cannot ends as a failure.
-- Returns 'none' | 'sound' | 'failed_unreadable'
local function examine(keys, channel, id, now, ttl)
  if redis.call('EXISTS', keys[1]) == 0 then return 'none' end
  if is_sound(keys[1]) then return 'sound' end
  fail_unreadable(keys, channel, id, now, ttl)
  return 'failed_unreadable'
end

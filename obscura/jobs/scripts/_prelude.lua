-- Functions that all scripts of the job store share. Python puts constants in front of this file (commands.py).
-- The time is the server's, in seconds since 1970, so that the clocks of machines need not agree.
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1000000
end

-- Read fields of a record in one call; an absent field is false.
local function fields(job, ...)
  return unpack(redis.call('HMGET', job, ...))
end

local function ended(state)
  return state == 'done' or state == 'failed'
end

local function kind_of(key)
  return redis.call('TYPE', key).ok
end

-- The finite number in a text, or nil.
local function number(text)
  local value = text and tonumber(text)
  return value and value == value and math.abs(value) < 1e15 and value or nil
end

-- Whether a text is a count that HINCRBY can increase.
local function is_count(text)
  return text and #text < 10 and string.match(text, '^%d+$') ~= nil or false
end

local function publish(channel, id, news)
  redis.call('PUBLISH', channel, id .. ' ' .. news)
end

-- The record of a finished job as part of its event, so that waiting gateways need not read it; empty if it is
-- longer than MAX_EVENT_BYTES, and gateways read it then.
local MAX_EVENT_BYTES = 16384
local function event_payload(job)
  local record, length = redis.call('HGETALL', job), 0
  for _, text in ipairs(record) do length = length + #text end
  return length > MAX_EVENT_BYTES and '' or ' ' .. cjson.encode(record)
end

-- Add an audit record, which a gateway moves into the audit log, and count the event.
-- Audit records hold ids, times and codes only.
local function audit(event, id, ...)
  redis.call('XADD', 'obscura:audit', '*', 'event', event, 'job', id, ...)
  redis.call('HINCRBY', 'obscura:counters', event, 1)
end

-- Count for /metrics, in the same transaction as the change. Series are named as in
-- obscura/observability/catalogue.py; BOUNDS are the bucket bounds of all durations.
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

-- Unfinished jobs of these groups are also members of a set of their own, since each group has its own limit.
local LIMIT_GROUPS = {'bulk', 'video'}

-- Count an unfinished job for its limit group ('' for interactive photos) and owner.
local function add_unfinished(active, id, limit_group, owner)
  local counted = limit_group .. ' ' .. owner
  if redis.call('HSETNX', active .. ':groups', id, counted) == 1 then
    redis.call('HINCRBY', active .. ':counts', counted, 1)
  end
end

-- Remove a job from the unfinished ones and from the counts of its limit group and owner.
local function remove_unfinished(active, id)
  redis.call('ZREM', active, id)
  for _, group in ipairs(LIMIT_GROUPS) do redis.call('SREM', active .. ':' .. group, id) end
  local counted = redis.call('HGET', active .. ':groups', id)
  if counted then
    redis.call('HDEL', active .. ':groups', id)
    if redis.call('HINCRBY', active .. ':counts', counted, -1) <= 0 then
      redis.call('HDEL', active .. ':counts', counted)
    end
  end
end

-- Whether an owner who uses ``own`` of ``total`` places may take another one; all owners use ``used``. An owner may
-- take ``share`` of what the others leave free, so that there is always room for the next owner. Without API keys
-- (owner '') there is no share.
local function is_within_share(owner, share, total, used, own)
  if owner == '' then return true end
  return own < math.max(1, share * (total - (used - own)))
end

-- Add to the bytes that the records of an owner take; measure_usage.lua corrects them periodically.
local HELD = 'obscura:held'
local function add_usage(owner, bytes)
  -- Not for 0: the text of a negative zero is no integer.
  if owner and owner ~= '' and bytes ~= 0 then redis.call('HINCRBY', HELD, owner, string.format('%.0f', bytes)) end
end

-- The bytes of an owner's records if they exceed the owner's share of the store, else nil. ``most`` is the share in
-- bytes; 0 means ``share`` of the server's maxmemory, if that is set.
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

-- Measure how many bytes a job record takes now, and add the difference to its owner's usage.
local function update_usage(job)
  local owner, before = fields(job, 'owner', 'held')
  local now = redis.call('MEMORY', 'USAGE', job, 'SAMPLES', 0) or 0
  add_usage(owner, now - (number(before) or 0))
  redis.call('HSET', job, 'held', string.format('%d', now))
end

-- Start-time fair queueing between owners. Ready steps wait in a sorted set per priority queue and owner. Whenever
-- the broker's list of a priority queue holds fewer than AHEAD messages, the message of the owner with the lowest
-- start tag is pushed. ``fair_queue`` holds the start tag of every owner's next step, in units of job cost, and
-- LAST_START that of the last step pushed. An owner without a waiting step keeps the tag until it would be next, so
-- that leaving and coming back gains nothing.
local LAST_START = 'obscura:turns'
local AHEAD, LEAST_COST = 1, 0.01
local function fair_queue_of(queue) return 'obscura:turns:' .. queue end
local function waiting_steps_of(queue, owner) return 'obscura:waiting:' .. queue .. ':' .. owner end

-- Push an owner's next message to the broker's list; return its cost, 0 if the step is not queued any more, or nil
-- if the owner has no waiting step.
local function push_next_step(queue, owner)
  local entry = redis.call('ZPOPMIN', waiting_steps_of(queue, owner))[1]
  if not entry then return nil end
  local id, step = string.match(entry, '^(%S+) (%S+)$')
  local job = 'obscura:job:' .. (id or '')
  if not id or kind_of(job) ~= 'hash' then return 0 end
  local text, step_state, state, cost = fields(job, 'm:' .. step, 's:' .. step, 'state', 'cost')
  redis.call('HDEL', job, 'm:' .. step, 'w:' .. step)
  if not text or step_state ~= 'queued' or ended(state) then return 0 end
  redis.call('LPUSH', queue, text)
  return math.max(LEAST_COST, number(cost) or 1)
end

-- Of the processes of a queue, if there are several, an owner holds all but one at most while others use them: owners
-- who wait, and those who were served in the last RECENT_S seconds. Cheap steps are free of this, since whoever comes
-- next waits little for them: the estimate, and the seconds of the owner's late steps, are CHEAP at most, and these
-- seconds are also ALIKE times those of any other owner served lately at most, or BRIEF.
-- A key of WORKING and the claim token of a process holds the owner of its step, one of LONGEST and an owner the seconds
-- of the longest of the late steps; both expire, since a killed process and an owner who has left delete neither.
-- PUSHED is a hash from a priority queue to the owner of the message pushed last, until it is claimed.
-- SERVED holds "token owner" with the time of the last claim.
local WORKING, WORKING_TTL_S = 'obscura:working:', 86400
local LONGEST, LONGEST_TTL_S = 'obscura:longest_step:', 3600
local PUSHED = 'obscura:pushed'
local SERVED, RECENT_S, CHEAP = 'obscura:served', 2, 2
local ALIKE, BRIEF = 1.5, 0.25

-- The claim tokens of the processes that serve a priority queue.
local function processes_of(queue, now)
  local tokens, prefix = {}, string.gsub(queue, '%.bulk$', '') .. '|'
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, now - HEARTBEAT_TTL_S, '+inf')) do
    if string.sub(entry, 1, #prefix) == prefix then table.insert(tokens, string.sub(entry, #prefix + 1)) end
  end
  return tokens
end

-- How many of these processes work for each owner, or are about to.
local function working_of(queue, tokens)
  local working, names = {}, {}
  for _, token in ipairs(tokens) do table.insert(names, WORKING .. token) end
  for _, owner in ipairs({redis.call('HGET', PUSHED, queue), unpack(redis.call('MGET', unpack(names)))}) do
    if owner then working[owner] = (working[owner] or 0) + 1 end
  end
  return working
end

-- The seconds of the longest late step of the other owners whom these processes served lately, of the briefest of
-- them; nil if there is none.
local function pace_of_others(owner, tokens, now)
  local among, pace = {}, nil
  for _, token in ipairs(tokens) do among[token] = true end
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', SERVED, now - RECENT_S, '+inf')) do
    local token, other = string.match(entry, '^(%S+) (.*)$')
    if among[token] and other ~= owner then
      pace = math.min(pace or CHEAP, number(redis.call('GET', LONGEST .. other)) or CHEAP)
    end
  end
  return pace
end

local function is_cheap(queue, owner, pace)
  local entry = redis.call('ZRANGE', waiting_steps_of(queue, owner), 0, 0)[1]
  local job = 'obscura:job:' .. (string.match(entry or '', '^%S+') or '')
  if kind_of(job) ~= 'hash' then return true end
  local cost, longest = number(redis.call('HGET', job, 'cost')) or 1, number(redis.call('GET', LONGEST .. owner)) or 0
  return cost <= CHEAP and longest <= (pace and math.max(BRIEF, math.min(CHEAP, ALIKE * pace)) or CHEAP)
end

-- The owner whose step is pushed next and its start tag: the first one who may take a process now, or nil.
local function next_owner(queue)
  local fair_queue, now = fair_queue_of(queue), clock()
  local first = redis.call('ZRANGE', fair_queue, 0, 0, 'WITHSCORES')
  local tokens = #first > 0 and processes_of(queue, now) or {}
  if #tokens < 2 then return first[1], first[2] end
  local working = working_of(queue, tokens)
  local function may_take(owner)
    return (working[owner] or 0) < #tokens - 1 or is_cheap(queue, owner, pace_of_others(owner, tokens, now))
  end
  if may_take(first[1]) then return first[1], first[2] end
  local others = redis.call('ZRANGE', fair_queue, 1, -1, 'WITHSCORES')
  local is_alone = not pace_of_others(first[1], tokens, now)
  for at = 1, #others, 2 do
    if redis.call('EXISTS', waiting_steps_of(queue, others[at])) == 1 then
      if may_take(others[at]) then return others[at], others[at + 1] end
      is_alone = false
    end
  end
  if is_alone then return first[1], first[2] end
end

-- A process takes up a step of an owner.
local function take_process(token, owner, now)
  redis.call('SET', WORKING .. token, owner, 'EX', WORKING_TTL_S)
  redis.call('ZADD', SERVED, now, token .. ' ' .. owner)
  redis.call('ZREMRANGEBYSCORE', SERVED, '-inf', now - RECENT_S)
end

-- A process has ended a step. Its owner was charged the estimated cost and is charged the seconds that it took instead,
-- in both priorities; what is given back does not go behind the start tag of the last step pushed.
local function leave_process(token, queue, job, step, now)
  redis.call('DEL', WORKING .. token)
  if kind_of(job) ~= 'hash' then return end
  local owner, cost, began, holder = fields(job, 'owner', 'cost', 'b:' .. step, 't:' .. step)
  if not owner or not number(began) or holder ~= token then return end
  local seconds = now - number(began)
  local longest = number(redis.call('GET', LONGEST .. owner)) or 0
  longest = string.format('%.3f', math.max(seconds, longest * 0.9))
  redis.call('SET', LONGEST .. owner, longest, 'EX', LONGEST_TTL_S)
  for _, name in ipairs({queue, queue .. '.bulk'}) do
    local start = redis.call('ZSCORE', fair_queue_of(name), owner)
    if start then
      local least = math.min(start, number(redis.call('HGET', LAST_START, name)) or 0)
      local charged = start + seconds - math.max(LEAST_COST, number(cost) or 1)
      redis.call('ZADD', fair_queue_of(name), math.max(least, charged), owner)
    end
  end
end

-- Push waiting messages to the broker's list of a priority queue until it holds AHEAD messages.
local function hand_out(queue)
  local fair_queue = fair_queue_of(queue)
  while redis.call('LLEN', queue) < AHEAD do
    local owner, start = next_owner(queue)
    if not owner then return end
    local cost, last = push_next_step(queue, owner), number(redis.call('HGET', LAST_START, queue)) or 0
    redis.call('HSET', LAST_START, queue, math.max(last, start))
    if cost then
      redis.call('HSET', PUSHED, queue, owner)
      redis.call('ZADD', fair_queue, start + cost, owner)
    else redis.call('ZREM', fair_queue, owner) end
  end
end

-- Add an owner to the fair queue of a priority queue, with the current start tag.
local function add_to_fair_queue(queue, owner)
  local begin = redis.call('HGET', LAST_START, queue) or redis.call('ZRANGE', fair_queue_of(queue), 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', fair_queue_of(queue), 'NX', begin or 0, owner)
end

-- Add a step with its message to the waiting steps of its owner; a step that waits already keeps its place.
local function enqueue(job, id, queue, step, text, now)
  local owner = redis.call('HGET', job, 'owner') or ''
  redis.call('HSET', job, 'm:' .. step, text, 'w:' .. step, queue)
  redis.call('ZADD', waiting_steps_of(queue, owner), 'NX', string.format('%.6f', now), id .. ' ' .. step)
  add_to_fair_queue(queue, owner)
  hand_out(queue)
end

-- Whether a step is among the waiting steps. If so, its owner is added to the fair queue again, in case that entry
-- was lost.
local function is_waiting(job, id, step)
  local queue, owner = fields(job, 'w:' .. step, 'owner')
  if not queue or not redis.call('ZSCORE', waiting_steps_of(queue, owner or ''), id .. ' ' .. step) then return false end
  add_to_fair_queue(queue, owner or '')
  hand_out(queue)
  return true
end

-- Add a webhook event for a URL; gateways deliver it until the receiver takes it or its retry time is over.
-- ``subject`` is ``task:ID`` or ``batch:ID``; a second event of a subject is ignored. Due times are kept per owner.
local WEBHOOKS = 'obscura:webhooks'
local function times_of(owner) return owner == '' and WEBHOOKS or WEBHOOKS .. ':' .. owner end

local function add_event(subject, owner, url, now, ...)
  local key = 'obscura:webhook:' .. subject
  if redis.call('EXISTS', key) == 1 then return end
  local message = string.gsub(subject, ':', '_') .. string.format('_%.0f', now * 1000)
  redis.call('HSET', key, 'message', message, 'url', url, 'created', tostring(now), 'attempts', '0',
    'state', 'pending', 'owner', owner, ...)
  redis.call('ZADD', times_of(owner), now, subject)
  redis.call('SADD', WEBHOOKS .. '.owners', owner)
end

-- Remove a webhook event.
local function remove_event(subject)
  local key = 'obscura:webhook:' .. subject
  local owner = kind_of(key) == 'hash' and redis.call('HGET', key, 'owner') or ''
  redis.call('ZREM', times_of(owner), subject)
  redis.call('DEL', key)
end

-- Key of a webhook receiver's failure state; a receiver is an owner with scheme, host and port of the URL.
local function receiver_of(owner, url)
  return 'obscura:receiver:' .. owner .. ' ' .. (string.match(url or '', '^%a+://[^/?#]+') or '')
end

-- Add the event of a batch if its last open job has ended and the batch was created.
local function add_batch_event(batch, now)
  local record = 'obscura:batch:' .. batch
  if kind_of(record) ~= 'hash' then return end
  local url, owner = fields(record, 'webhook', 'owner')
  if url and redis.call('EXISTS', record .. ':open') == 0 then
    add_event('batch:' .. batch, owner or '', url, now)
  end
end

-- Remove a job from the open jobs of its batch, and add the batch's event if it was the last one.
local function leave_batch(batch, id, now)
  local open = batch and 'obscura:batch:' .. batch .. ':open'
  if open and kind_of(open) == 'set' and redis.call('SREM', open, id) == 1 then
    add_batch_event(batch, now)
  end
end

-- Move a job to a final state: schedule the erasure of its original, keep record and result for ttl seconds (or
-- the record's own ttl if that is less), and publish the end.
-- keys: job, active, expiry, erase.
local function finish(keys, channel, id, state, now, ttl)
  local job, active, expiry, erase = keys[1], keys[2], keys[3], keys[4]
  redis.call('HSET', job, 'state', state, 'finished', tostring(now))
  remove_unfinished(active, id)
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
  audit(state, id, 'code', code)
  if url then add_event('task:' .. id, owner or '', url, now, 'status', state, 'code', code) end
  leave_batch(batch, id, now)
  update_usage(job)
  publish(channel, id, state .. event_payload(job))
end

local STATES = {queued = true, running = true, done = true, failed = true}
local STEP_STATES = {waiting = true, queued = true, running = true, done = true}

-- Whether the fields of a step that scripts calculate with are valid.
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

-- Whether the fields of a job record that scripts use are valid; longer fields are checked by their readers.
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

-- A field of a record that may be damaged, false unless it has 1 to 4095 bytes.
local function short_field(job, name)
  if kind_of(job) ~= 'hash' then return false end
  local length = redis.call('HSTRLEN', job, name)
  return length > 0 and length < 4096 and redis.call('HGET', job, name)
end

-- Fail a job whose record cannot be read: replace the record by a failed one that can be read and erased like any
-- other, and schedule the erasure of its original and result. keys as for finish.
local function fail_unreadable(keys, channel, id, now, ttl)
  local job = keys[1]
  local owner, url, batch = short_field(job, 'owner') or '', short_field(job, 'webhook'), short_field(job, 'batch')
  local picture, held = short_field(job, 'picture'), number(short_field(job, 'held') or '0') or 0
  local result = 'results/' .. id
  redis.call('DEL', job)
  redis.call('HSET', job, 'kind', 'detect', 'state', 'failed', 'options', '{}', 'owner', owner, 'stages', '',
    'photo', 'photos/' .. id, 'created', tostring(now), 'finished', tostring(now),
    'error_code', 'record_unreadable', 'error_message', UNREADABLE)
  add_usage(owner, -held)
  remove_unfinished(keys[2], id)
  redis.call('ZADD', keys[3], now + ttl, id)
  redis.call('ZADD', keys[4], now, 'photos/' .. id)
  if picture and string.sub(picture, 1, #result) == result then redis.call('ZADD', keys[4], now, picture) end
  count('records_unreadable_total')
  count('tasks_total|detect|failed')
  count('task_failures_total|detect|record_unreadable')
  audit('failed', id, 'code', 'record_unreadable')
  if url then add_event('task:' .. id, owner, url, now, 'status', 'failed', 'code', 'record_unreadable') end
  leave_batch(batch, id, now)
  publish(channel, id, 'failed' .. event_payload(job))
end

-- Check a record before work on it; an unreadable one is failed.
-- Returns 'none' | 'sound' | 'failed_unreadable'
local function examine(keys, channel, id, now, ttl)
  if redis.call('EXISTS', keys[1]) == 0 then return 'none' end
  if is_sound(keys[1]) then return 'sound' end
  fail_unreadable(keys, channel, id, now, ttl)
  return 'failed_unreadable'
end

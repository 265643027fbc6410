-- Count the unfinished jobs with rank first to last and their steps, and find the oldest. Read-only.
-- KEYS active. ARGV prefix of job keys, first, last, step, ...
-- Returns {number of jobs examined, name, number, ...}; names are job|KIND|STATE, age|KIND|STATE (seconds),
-- step|STEP|PRIORITY|STATE. Unreadable records are not counted.
local now = clock()
local found, oldest = {}, {}
local ids = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])
local names = {'kind', 'state', 'created'}
for at = 4, #ARGV do table.insert(names, 's:' .. ARGV[at]) end
for _, id in ipairs(ids) do
  local key = ARGV[1] .. id
  local record = kind_of(key) == 'hash' and redis.call('HMGET', key, unpack(names)) or {}
  if string.match(record[1] or '', '^[%l_]+$') and STATES[record[2]] and number(record[3]) then
    local priority = 'interactive'
    if redis.call('SISMEMBER', KEYS[1] .. ':bulk', id) == 1 then priority = 'bulk' end
    local name = record[1] .. '|' .. record[2]
    found['job|' .. name] = (found['job|' .. name] or 0) + 1
    oldest[name] = math.max(oldest[name] or 0, now - tonumber(record[3]))
    for at = 4, #names do
      local state = record[at]
      if state == 'queued' or state == 'running' then
        local step = 'step|' .. ARGV[at] .. '|' .. priority .. '|' .. state
        found[step] = (found[step] or 0) + 1
      end
    end
  end
end
local answer = {tostring(#ids)}
for name, counted in pairs(found) do
  table.insert(answer, name)
  table.insert(answer, tostring(counted))
end
for name, age in pairs(oldest) do
  table.insert(answer, 'age|' .. name)
  table.insert(answer, tostring(age))
end
return answer

-- Count the unfinished jobs of one part of the list, their steps, and find the oldest. Changes nothing.
-- KEYS active. ARGV prefix of rows, first, last, step, ...
-- Returns {number of jobs looked at, name, number, ...}; names are job|KIND|STATE, age|KIND|STATE (seconds),
-- step|STEP|LANE|STATE. A record that cannot be read is not counted.
local now = clock()
local found, oldest = {}, {}
local ids = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])
local names = {'kind', 'state', 'created'}
for at = 4, #ARGV do table.insert(names, 's:' .. ARGV[at]) end
for _, id in ipairs(ids) do
  local key = ARGV[1] .. id
  local row = kind_of(key) == 'hash' and redis.call('HMGET', key, unpack(names)) or {}
  if string.match(row[1] or '', '^[%l_]+$') and STATES[row[2]] and number(row[3]) then
    local lane = 'interactive'
    if redis.call('SISMEMBER', KEYS[1] .. ':bulk', id) == 1 then lane = 'bulk' end
    local name = row[1] .. '|' .. row[2]
    found['job|' .. name] = (found['job|' .. name] or 0) + 1
    oldest[name] = math.max(oldest[name] or 0, now - tonumber(row[3]))
    for at = 4, #names do
      local state = row[at]
      if state == 'queued' or state == 'running' then
        local step = 'step|' .. ARGV[at] .. '|' .. lane .. '|' .. state
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

-- Count the unfinished jobs of one part of the list, their steps, and find the oldest. Changes nothing.
-- KEYS active. ARGV prefix of rows, first, last, step, ...
-- Returns {number of jobs looked at, name, number, ...}; names are job|KIND|STATE, age|KIND|STATE (seconds),
-- step|STEP|LANE|STATE
local now = clock()
local found, oldest = {}, {}
local ids = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])
local fields = {'kind', 'state', 'created'}
for number = 4, #ARGV do table.insert(fields, 's:' .. ARGV[number]) end
for _, id in ipairs(ids) do
  local row = redis.call('HMGET', ARGV[1] .. id, unpack(fields))
  if row[1] then
    local lane = 'interactive'
    if redis.call('SISMEMBER', KEYS[1] .. ':bulk', id) == 1 then lane = 'bulk' end
    local name = row[1] .. '|' .. row[2]
    found['job|' .. name] = (found['job|' .. name] or 0) + 1
    oldest[name] = math.max(oldest[name] or 0, now - tonumber(row[3]))
    for number = 4, #fields do
      local state = row[number]
      if state == 'queued' or state == 'running' then
        local step = 'step|' .. ARGV[number] .. '|' .. lane .. '|' .. state
        found[step] = (found[step] or 0) + 1
      end
    end
  end
end
local answer = {tostring(#ids)}
for name, number in pairs(found) do
  table.insert(answer, name)
  table.insert(answer, tostring(number))
end
for name, age in pairs(oldest) do
  table.insert(answer, 'age|' .. name)
  table.insert(answer, tostring(age))
end
return answer

-- Measure the bytes that the records on one page of a SCAN take, by owner. Read-only.
-- ARGV cursor, pattern, count. Returns {next cursor, owner, bytes, ...}
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local held = {}
for _, key in ipairs(page[2]) do
  if kind_of(key) == 'hash' then
    local owner = redis.call('HGET', key, 'owner')
    if owner and owner ~= '' then held[owner] = (held[owner] or 0) + (redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0) or 0) end
  end
end
local answer = {page[1]}
for owner, bytes in pairs(held) do
  table.insert(answer, owner)
  table.insert(answer, string.format('%.0f', bytes))
end
return answer

-- Erase a batch record and its webhook event, or the event only; its jobs are erased one by one.
-- KEYS batch. ARGV id, 1 = the event only. Returns {'forgotten'}
remove_event('batch:' .. ARGV[1])
if kind_of(KEYS[1]) == 'hash' then redis.call('HDEL', KEYS[1], 'webhook') end
if ARGV[2] ~= '1' then redis.call('DEL', KEYS[1], KEYS[1] .. ':open') end
return {'forgotten'}

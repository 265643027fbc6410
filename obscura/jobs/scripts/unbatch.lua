-- Forget a batch, or only that somebody was to be told of it; its jobs are erased one by one.
-- KEYS batch. ARGV id, 1 = only that somebody was to be told. Returns {'forgotten'}
unannounce('batch:' .. ARGV[1])
if kind_of(KEYS[1]) == 'hash' then redis.call('HDEL', KEYS[1], 'webhook') end
if ARGV[2] ~= '1' then redis.call('DEL', KEYS[1], KEYS[1] .. ':open') end
return {'forgotten'}

-- KEYS a sorted set of times. ARGV limit. Returns the members whose time has come.
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', tostring(clock()), 'LIMIT', 0, ARGV[1])

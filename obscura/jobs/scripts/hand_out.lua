-- Hand waiting steps out where a lane has room. KEYS lane, ... Returns {'done'}
for _, lane in ipairs(KEYS) do hand_out(lane) end
return {'done'}

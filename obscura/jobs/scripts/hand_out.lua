-- Push waiting steps to the broker's lists that have room. KEYS priority queue, ... Returns {'done'}
for _, queue in ipairs(KEYS) do hand_out(queue) end
return {'done'}

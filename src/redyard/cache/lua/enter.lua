--[[ Ask for the right to load a value. It is held by one asker at a time, in the record's head.
KEYS[1]  the record
ARGV[1]  the asker's token: 8 bytes
ARGV[2]  milliseconds for which it would hold the right
ARGV[3]  until when the record that the asker knows is fresh; 0 for none
ARGV[4]  the asker's time
ARGV[5]  a vacant record
Returns {0, record}       it was loaded meanwhile
        {1}               load it; the right is yours
        {2, ms, token}    another one loads it, or (token of zeros) failed to, for so many milliseconds more
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local right = ARGV[1] .. struct.pack('<d', now + ARGV[2])
local record = redis.call('GET', KEYS[1])
if not record or #record < #ARGV[5] or record:byte(1) ~= ARGV[5]:byte(1) then
  redis.call('SET', KEYS[1], ARGV[5]:sub(1, 2) .. right .. ARGV[5]:sub(19), 'PX', ARGV[2])
  return {1}
end
local held, fresh = struct.unpack('<dd', record, 11)
if fresh > tonumber(ARGV[3]) and fresh > tonumber(ARGV[4]) then
  return {0, record}
end
if held > now then
  return {2, math.ceil(held - now), record:sub(3, 10)}
end
redis.call('SETRANGE', KEYS[1], 2, right)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {1}

--[[ Hold the right to load a value for longer: the load is not done yet.
KEYS[1]  the record
ARGV[1]  the loader's token
ARGV[2]  milliseconds from now
Returns 1, or 0 when the right is lost: the value was invalidated meanwhile
]]
if redis.call('GETRANGE', KEYS[1], 2, 9) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
redis.call('SETRANGE', KEYS[1], 10, struct.pack('<d', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1

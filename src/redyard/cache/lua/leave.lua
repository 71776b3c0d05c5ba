--[[ Give back the right to load a value: the load failed. An old value stays, and nobody tries for a while.
KEYS[1]  the record
ARGV[1]  the loader's token
ARGV[2]  milliseconds for which nobody tries
ARGV[3]  a vacant record
Returns 1, or 0 when the right was lost already
]]
local record = redis.call('GET', KEYS[1])
if not record or record:sub(3, 10) ~= ARGV[1] then
  return 0
end
if #record == #ARGV[3] then
  redis.call('DEL', KEYS[1])
  return 1
end
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('SETRANGE', KEYS[1], 2, ('\0'):rep(8) .. struct.pack('<d', till))
return 1

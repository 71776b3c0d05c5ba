--[[ Keep a value that was loaded, unless it was invalidated meanwhile.
KEYS[1]  the record
ARGV[1]  the loader's token
ARGV[2]  the new record
ARGV[3]  its lifetime in milliseconds
Returns 1, or 0 when the right to load is lost and nothing was kept
]]
if redis.call('GETRANGE', KEYS[1], 2, 9) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1

-- Replace a session's record if it is still the one that was read: compare and set.
--
-- KEYS[1]  the session's key
-- ARGV[1]  the record that was read, "" for a new session
-- ARGV[2]  the record to write
-- ARGV[3]  time to live in seconds
--
-- Returns 1; 0 when the session does not exist (or, if new, does exist); or the record that another wrote meanwhile
local record = redis.call("GET", KEYS[1])
if (record or "") == ARGV[1] then
  redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
  return 1
end
return ARGV[1] ~= "" and record or 0

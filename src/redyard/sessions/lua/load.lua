-- Read a session and start its time anew, or make it known under a new id first.
--
-- KEYS[1]  the session's key
-- KEYS[2]  (optional) the key that it gets: its id is rotated
-- ARGV[1]  time to live in seconds, 0 to leave it as it is
--
-- Returns {field, JSON, field, JSON, ...}; empty when there is no such session
if redis.call("EXISTS", KEYS[1]) == 0 then
  return {}
end
local key = KEYS[1]
if KEYS[2] then
  redis.call("RENAME", KEYS[1], KEYS[2])
  key = KEYS[2]
end
if ARGV[1] ~= "0" then
  redis.call("EXPIRE", key, ARGV[1])
end
return redis.call("HGETALL", key)

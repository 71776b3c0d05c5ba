-- Make a session known under a new id alone.
--
-- KEYS[1]  the session's key
-- KEYS[2]  the key that it gets
--
-- Returns {JSON, ms to live}; nothing when there is no such session
if redis.call("EXISTS", KEYS[1]) == 0 then
  return false
end
redis.call("RENAME", KEYS[1], KEYS[2])
return { redis.call("GET", KEYS[2]), redis.call("PTTL", KEYS[2]) }

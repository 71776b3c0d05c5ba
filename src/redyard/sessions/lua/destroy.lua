-- End a session, also where only an alias of its id is known.
--
-- KEYS[1]  the session's key
-- ARGV[1]  what precedes the digest in keys of sessions
-- ARGV[2]  what precedes the user in keys of indexes
--
-- Returns 1, or 0 when there is no such session
local key = KEYS[1]
local moved = redis.call("HGET", key, ":moved")
if moved then
  redis.call("DEL", key)
  key = ARGV[1] .. moved
end
local user = redis.call("HGET", key, ":user")
if user then
  redis.call("ZREM", ARGV[2] .. user, string.sub(key, #ARGV[1] + 1))
end
return redis.call("DEL", key)

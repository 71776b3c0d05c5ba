-- Make a session known under a new id; its old one is worth nothing, or leads to it for a moment.
--
-- KEYS[1]  the session's key
-- KEYS[2]  the key that it gets
-- ARGV[1]  idle time in ms
-- ARGV[2]  what precedes the digest in keys of sessions
-- ARGV[3]  what precedes the user in keys of indexes
-- ARGV[4]  ms for which the old id leads to the new one, 0 for none
-- ARGV[5..]  fields of the store's own to write: field, value, ...
--
-- Returns {digest that an alias leads to or "", {field, value, ...}}; nothing when there is no such session.
-- With an alias asked for, a session that another request has just moved is not moved again
local key = KEYS[1]
local moved = redis.call("HGET", key, ":moved")
if moved then
  key = ARGV[2] .. moved
end
if redis.call("EXISTS", key) == 0 then
  return false
end
if moved and ARGV[4] ~= "0" then
  return { moved, redis.call("HGETALL", key) }
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local digest = string.sub(KEYS[2], #ARGV[2] + 1)
local user = redis.call("HGET", key, ":user")
if user then
  redis.call("ZREM", ARGV[3] .. user, string.sub(key, #ARGV[2] + 1))
end
redis.call("DEL", KEYS[1] ~= key and KEYS[1] or KEYS[2])
redis.call("RENAME", key, KEYS[2])
redis.call("HSET", KEYS[2], ":renewed", now)
for i = 5, #ARGV, 2 do
  redis.call("HSET", KEYS[2], ARGV[i], ARGV[i + 1])
end
user = redis.call("HGET", KEYS[2], ":user")
if user then
  redis.call("ZADD", ARGV[3] .. user, now, digest)
  redis.call("PEXPIRE", ARGV[3] .. user, ARGV[1])
end
if ARGV[4] ~= "0" then
  redis.call("HSET", KEYS[1], ":moved", digest)
  redis.call("PEXPIRE", KEYS[1], ARGV[4])
end
return { "", redis.call("HGETALL", KEYS[2]) }

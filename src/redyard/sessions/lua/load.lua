-- Read a session, and start its idle time anew where that is due: by the key's time to live, never by a rewrite.
--
-- KEYS[1]  the session's key
-- ARGV[1]  idle time in ms
-- ARGV[2]  absolute time in ms, 0 for none
-- ARGV[3]  ms that must have passed since the last touch
-- ARGV[4]  what precedes the digest in keys of sessions
-- ARGV[5]  what precedes the user in keys of indexes
--
-- Returns {touched, digest that an alias leads to or "", {field, value, ...}}; nothing when there is no such session
local digest = ""
local key = KEYS[1]
local fields = redis.call("HGETALL", key)
if fields[1] == ":moved" then
  digest = fields[2]
  key = ARGV[4] .. digest
  fields = redis.call("HGETALL", key)
end
if #fields == 0 then
  return false
end
local ttl, absolute, every = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local left = redis.call("PTTL", key)
if ttl - left < every then
  return { 0, digest, fields }
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if absolute > 0 then
  ttl = math.min(ttl, (redis.call("HGET", key, ":created") or 0) + absolute - now)
end
if ttl <= 0 then
  redis.call("DEL", key)
  return false
end
if ttl - left < every then
  return { 0, digest, fields }
end
redis.call("PEXPIRE", key, ttl)
local user = redis.call("HGET", key, ":user")
if user then
  redis.call("ZADD", ARGV[5] .. user, now, string.sub(key, #ARGV[4] + 1))
  redis.call("ZREMRANGEBYSCORE", ARGV[5] .. user, "-inf", now - ARGV[1])
  redis.call("PEXPIRE", ARGV[5] .. user, ARGV[1])
end
return { 1, digest, fields }

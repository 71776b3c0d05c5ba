-- Write the changed fields of a session; one that was destroyed meanwhile stays destroyed.
--
-- Only what changed is written, so that requests at the same time do not undo each other. Names that begin with ":" are
-- the store's own; ":created" keeps a session without fields alive.
--
-- KEYS[1]  the session's key
-- ARGV[1]  idle time in ms
-- ARGV[2]  absolute time in ms, 0 for none
-- ARGV[3]  what precedes the digest in keys of sessions
-- ARGV[4]  what precedes the user in keys of indexes
-- ARGV[5]  "1" for a new session, "0" for one that must exist
-- ARGV[6]  n, the number of arguments that are fields to write and their values
-- ARGV[7..6+n]  field, value, ...
-- ARGV[7+n..]   fields to remove
--
-- Returns 1, or 0 when the session does not exist (or, if new, does exist)
local key = KEYS[1]
local own = redis.call("HMGET", key, ":created", ":user", ":moved")
if own[3] then
  key = ARGV[3] .. own[3]
  own = redis.call("HMGET", key, ":created", ":user")
end
if ARGV[5] == "1" then
  if redis.call("EXISTS", key) == 1 then
    return 0
  end
elseif not own[1] then
  return 0
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[5] == "1" then
  redis.call("HSET", key, ":created", now, ":renewed", now)
  own[1] = now
end
local last = 6 + tonumber(ARGV[6])
for i = 7, last, 200 do
  redis.call("HSET", key, unpack(ARGV, i, math.min(i + 199, last)))
end
for i = last + 1, #ARGV do
  redis.call("HDEL", key, ARGV[i])
end
local ttl, absolute = tonumber(ARGV[1]), tonumber(ARGV[2])
if absolute > 0 then
  ttl = math.min(ttl, own[1] + absolute - now)
end
redis.call("PEXPIRE", key, ttl) -- one whose time is over is deleted by this
local user = own[2] or (ARGV[5] == "1" and redis.call("HGET", key, ":user"))
if user then
  redis.call("ZADD", ARGV[4] .. user, now, string.sub(key, #ARGV[3] + 1))
  redis.call("ZREMRANGEBYSCORE", ARGV[4] .. user, "-inf", now - ARGV[1])
  redis.call("PEXPIRE", ARGV[4] .. user, ARGV[1])
end
return ttl > 0 and 1 or 0

-- Write the changed fields of a session; one that was destroyed meanwhile stays destroyed.
--
-- Only what changed is written, so that requests at the same time do not undo each other. The field "" holds the
-- moment of creation in seconds: it keeps a session without fields alive.
--
-- KEYS[1]  the session's key
-- ARGV[1]  time to live in seconds
-- ARGV[2]  "1" for a new session, "0" for one that must exist
-- ARGV[3]  n, the number of arguments that are fields to write and their JSON
-- ARGV[4..3+n]  field, JSON, ...
-- ARGV[4+n..]   fields to remove
--
-- Returns 1, or 0 when the session does not exist (or, if new, does exist)
if redis.call("EXISTS", KEYS[1]) ~= 1 - tonumber(ARGV[2]) then
  return 0
end
if ARGV[2] == "1" then
  redis.call("HSET", KEYS[1], "", redis.call("TIME")[1])
end
local last = 3 + tonumber(ARGV[3])
for i = 4, last, 2 do
  redis.call("HSET", KEYS[1], ARGV[i], ARGV[i + 1])
end
for i = last + 1, #ARGV do
  redis.call("HDEL", KEYS[1], ARGV[i])
end
redis.call("EXPIRE", KEYS[1], ARGV[1])
return 1

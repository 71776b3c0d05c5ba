-- List a user's sessions, and forget those that have ended.
--
-- KEYS[1]  the user's index: digests by the ms of their last touch
-- ARGV[1]  what precedes the digest in keys of sessions
-- ARGV[2]  the user
--
-- Returns {{digest, last seen, created, device, address}, ...}, the last seen first
local found = {}
local members = redis.call("ZRANGE", KEYS[1], 0, -1, "REV", "WITHSCORES")
for i = 1, #members, 2 do
  local about = redis.call("HMGET", ARGV[1] .. members[i], ":user", ":created", ":device", ":address")
  if about[1] == ARGV[2] then
    table.insert(found, { members[i], members[i + 1], about[2], about[3], about[4] })
  else
    redis.call("ZREM", KEYS[1], members[i])
  end
end
return found

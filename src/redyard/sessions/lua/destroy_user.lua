-- End sessions of a user: all, all but one, or one.
--
-- KEYS[1]  the user's index: digests by the ms of their last touch
-- ARGV[1]  what precedes the digest in keys of sessions
-- ARGV[2]  the user
-- ARGV[3]  a digest to keep, or ""
-- ARGV[4]  the one digest to end, or ""
--
-- Returns how many were ended
local ended = 0
for _, digest in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
  if digest ~= ARGV[3] and (ARGV[4] == "" or digest == ARGV[4]) then
    if redis.call("HGET", ARGV[1] .. digest, ":user") == ARGV[2] then
      ended = ended + redis.call("DEL", ARGV[1] .. digest)
    end
    redis.call("ZREM", KEYS[1], digest)
  end
end
return ended

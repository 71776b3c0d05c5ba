#!lua flags=allow-oom
-- Finds the active jobs that tokens hold: what a worker asks after an answer was lost. If it gives up a wait for jobs,
-- none is taken for that any more from now on.
--
-- KEYS[1]  active
-- KEYS[2]  redyard-gone
-- ARGV[1]  the queue's prefix
-- ARGV[2]  the wait that is given up, or nothing
-- ARGV[3]  seconds for which that is remembered
-- ARGV[4]  and on: tokens
-- Returns  token, id and fields of each job that one of them holds
if ARGV[2] ~= "" then
  redis.call("SADD", KEYS[2], ARGV[2])
  redis.call("EXPIRE", KEYS[2], ARGV[3])
end
local wanted, found = {}, {}
for place = 4, #ARGV do
  wanted[ARGV[place]] = true
end
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
  local holder = redis.call("GET", ARGV[1] .. id .. ":lock")
  if wanted[holder] then
    found[#found + 1] = {holder, id, redis.call("HGETALL", ARGV[1] .. id)}
  end
end
return found

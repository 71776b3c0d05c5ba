-- Finds the active jobs that tokens hold: what a worker asks after an answer was lost.
--
-- KEYS[1]  active
-- ARGV[1]  the queue's prefix
-- ARGV[2]  and on: tokens
-- Returns  token, id and fields of each job that one of them holds
local wanted, found = {}, {}
for place = 2, #ARGV do
  wanted[ARGV[place]] = true
end
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
  local holder = redis.call("GET", ARGV[1] .. id .. ":lock")
  if wanted[holder] then
    found[#found + 1] = {holder, id, redis.call("HGETALL", ARGV[1] .. id)}
  end
end
return found

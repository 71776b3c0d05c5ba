-- Finds the active job that a token holds: what a worker asks after an answer was lost.
--
-- KEYS[1]  active
-- ARGV[1]  the queue's prefix
-- ARGV[2]  token
-- Returns  the job's id and its fields, or nothing
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
  if redis.call("GET", ARGV[1] .. id .. ":lock") == ARGV[2] then
    return {redis.call("HGETALL", ARGV[1] .. id), id, 0, 0}
  end
end
return {0, 0, 0, 0}

#!lua flags=allow-oom
-- Locks an active job again whose lock ran out in an outage, before anybody took the job.
--
-- KEYS[1]  active
-- KEYS[2]  stalled
-- KEYS[3]  the job's lock
-- ARGV[1]  job's id
-- ARGV[2]  token
-- ARGV[3]  milliseconds that the lock lives
-- Returns  1 when the token holds the job, else 0
local holder = redis.call("GET", KEYS[3])
if (holder and holder ~= ARGV[2]) or not redis.call("LPOS", KEYS[1], ARGV[1]) then
  return 0
end
redis.call("SET", KEYS[3], ARGV[2], "PX", ARGV[3])
redis.call("SREM", KEYS[2], ARGV[1])
return 1

#!lua flags=allow-oom
-- Renew the locks of a worker's jobs, all in one call.
--
-- A lock that ran out while the job is still active is taken again: nobody else has taken the job meanwhile, for
-- that would have set a lock or moved it. So a worker that could not reach the server for a while keeps its jobs.
--
-- KEYS[1]  active
-- ARGV[1]  prefix "bull:{queue}:", from which the keys of the locks are built
-- ARGV[2]  time to live in milliseconds
-- ARGV[3..]  token, job id, token, job id, ...
--
-- Returns the tokens whose jobs are lost
local lost = {}
for i = 3, #ARGV, 2 do
  local lock = ARGV[1] .. ARGV[i + 1] .. ":lock"
  local holder = redis.call("GET", lock)
  if holder == ARGV[i] or (not holder and redis.call("LPOS", KEYS[1], ARGV[i + 1])) then
    redis.call("SET", lock, ARGV[i], "PX", ARGV[2])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost

#!lua flags=allow-oom
-- End a job, completed or failed for good, and remove the oldest of its kind beyond those kept.
--
-- KEYS[1] active  [2] completed or failed  [3] events
-- ARGV[1]  prefix "bull:{queue}:", from which the keys of jobs, locks and logs are built
-- ARGV[2]  job id  [3] token of the worker
-- ARGV[4]  "completed" or "failed"  [5] result (JSON) or reason  [6] stack traces (JSON), "" for none
-- ARGV[7]  how many of its kind are kept, -1 for all
--
-- Returns 1; 0 when the worker does not hold the job (any more) and nothing was done
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job = ARGV[1] .. ARGV[2]
-- A lock that ran out (the server was away) does no harm as long as the job is active and nobody else's.
local holder = redis.call("GET", job .. ":lock")
if (holder and holder ~= ARGV[3]) or redis.call("LREM", KEYS[1], -1, ARGV[2]) == 0 then
  return 0
end

local field = ARGV[4] == "completed" and "returnvalue" or "failedReason"
redis.call("DEL", job .. ":lock")
redis.call("HINCRBY", job, "atm", 1)
redis.call("HSET", job, "finishedOn", now, field, ARGV[5])
if ARGV[6] ~= "" then
  redis.call("HSET", job, "stacktrace", ARGV[6])
end
redis.call("ZADD", KEYS[2], now, ARGV[2])
redis.call("XADD", KEYS[3], "MAXLEN", "~", 10000, "*", "event", ARGV[4], "jobId", ARGV[2], field, ARGV[5],
  "prev", "active")

local kept = tonumber(ARGV[7])
if kept >= 0 then
  -- At most 1,000 at a time, lest a lowered number blocks the server; the next jobs' ends remove the rest.
  local beyond = math.min(redis.call("ZCARD", KEYS[2]) - kept, 1000)
  if beyond > 0 then
    for _, id in ipairs(redis.call("ZPOPMIN", KEYS[2], beyond)) do
      redis.call("DEL", ARGV[1] .. id, ARGV[1] .. id .. ":logs")
    end
  end
end
return 1

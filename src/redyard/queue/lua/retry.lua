#!lua flags=allow-oom
-- Put an active job back: an attempt failed and another follows, or a stopping worker gives it up unfinished.
--
-- KEYS[1] active  [2] wait  [3] prioritized  [4] delayed  [5] marker  [6] events  [7] pc
-- ARGV[1]  prefix "bull:{queue}:", from which the keys of the job and its lock are built
-- ARGV[2]  job id  [3] token of the worker
-- ARGV[4]  delay in milliseconds; -1 to give it up: first in line again, no attempt counted
-- ARGV[5]  reason  [6] stack traces (JSON); both unused when it is given up
--
-- Returns 1; 0 when the worker does not hold the job (any more) and nothing was done
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job, delay = ARGV[1] .. ARGV[2], tonumber(ARGV[4])
-- A lock that ran out (the server was away) does no harm as long as the job is active and nobody else's.
local holder = redis.call("GET", job .. ":lock")
if (holder and holder ~= ARGV[3]) or redis.call("LREM", KEYS[1], -1, ARGV[2]) == 0 then
  return 0
end
redis.call("DEL", job .. ":lock")
if delay >= 0 then
  redis.call("HINCRBY", job, "atm", 1)
  redis.call("HSET", job, "failedReason", ARGV[5], "stacktrace", ARGV[6])
end

if delay > 0 then
  local first = (now + delay) * 4096
  local last = redis.call("ZREVRANGEBYSCORE", KEYS[4], first + 4095, first, "WITHSCORES", "LIMIT", 0, 1)
  redis.call("ZADD", KEYS[4], last[2] and math.min(first + 4095, last[2] + 1) or first, ARGV[2])
  redis.call("HSET", job, "delay", delay)
  redis.call("XADD", KEYS[6], "MAXLEN", "~", 10000, "*", "event", "delayed", "jobId", ARGV[2], "delay", now + delay)
  local soonest = redis.call("ZRANGE", KEYS[4], 0, 0, "WITHSCORES")
  redis.call("ZADD", KEYS[5], math.floor(soonest[2] / 4096), "1")
  return 1
end

local priority = tonumber(redis.call("HGET", job, "priority") or 0)
if priority > 0 then
  redis.call("ZADD", KEYS[3], priority * 4294967296 + redis.call("INCR", KEYS[7]) % 4294967296, ARGV[2])
else
  redis.call(delay < 0 and "RPUSH" or "LPUSH", KEYS[2], ARGV[2])
end
redis.call("XADD", KEYS[6], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", ARGV[2], "prev", "active")
redis.call("ZADD", KEYS[5], 0, "0")
return 1

#!lua
-- Add a job: to the waiting ones, the prioritized ones or the delayed ones.
--
-- KEYS[1] wait  [2] prioritized  [3] delayed  [4] marker  [5] id  [6] pc  [7] events  [8] meta
-- ARGV[1]  prefix "bull:{queue}:", from which the key of the job is built
-- ARGV[2]  job id, "" for the next number
-- ARGV[3]  name  [4] data (JSON)  [5] opts (JSON)
-- ARGV[6]  delay in milliseconds  [7] priority (0: none; 1 goes first)
--
-- Returns {id, timestamp in milliseconds, 1}; 0 instead of 1 when a job of that id is there and nothing was added
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local delay, priority = tonumber(ARGV[6]), tonumber(ARGV[7])
local id = ARGV[2]
if id == "" then
  id = string.format("%.0f", redis.call("INCR", KEYS[5]))
end
local job = ARGV[1] .. id

if redis.call("EXISTS", job) == 1 then
  redis.call("XADD", KEYS[7], "MAXLEN", "~", 10000, "*", "event", "duplicated", "jobId", id)
  return {id, tonumber(redis.call("HGET", job, "timestamp") or now), 0}
end

redis.call("HSETNX", KEYS[8], "opts.maxLenEvents", 10000)
redis.call("HSET", job, "name", ARGV[3], "data", ARGV[4], "opts", ARGV[5], "timestamp", now, "delay", delay,
  "priority", priority)
redis.call("XADD", KEYS[7], "MAXLEN", "~", 10000, "*", "event", "added", "jobId", id, "name", ARGV[3])

if delay > 0 then
  -- The score is the moment and, in its lower 12 bits, the order within that millisecond.
  local first = (now + delay) * 4096
  local last = redis.call("ZREVRANGEBYSCORE", KEYS[3], first + 4095, first, "WITHSCORES", "LIMIT", 0, 1)
  local score = last[2] and math.min(first + 4095, last[2] + 1) or first
  redis.call("ZADD", KEYS[3], score, id)
  redis.call("XADD", KEYS[7], "MAXLEN", "~", 10000, "*", "event", "delayed", "jobId", id, "delay", now + delay)
  local soonest = redis.call("ZRANGE", KEYS[3], 0, 0, "WITHSCORES")
  redis.call("ZADD", KEYS[4], math.floor(soonest[2] / 4096), "1")
else
  if priority > 0 then
    redis.call("ZADD", KEYS[2], priority * 4294967296 + redis.call("INCR", KEYS[6]) % 4294967296, id)
  else
    redis.call("LPUSH", KEYS[1], id)
  end
  redis.call("XADD", KEYS[7], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", id)
  redis.call("ZADD", KEYS[4], 0, "0")
end
return {id, now, 1}

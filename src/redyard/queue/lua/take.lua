#!lua flags=allow-oom
-- Take the next job for a worker: promote the delayed ones whose time has come, then lock the first one.
--
-- It runs although memory is full: only taking and finishing jobs frees it.
--
-- KEYS[1] wait  [2] active  [3] prioritized  [4] delayed  [5] marker  [6] events  [7] pc
-- ARGV[1]  prefix "bull:{queue}:", from which the keys of jobs and locks are built
-- ARGV[2]  token of the worker  [3] time to live of the lock in milliseconds
--
-- Returns {id, {field, value, ...}}, or {"", milliseconds until the next delayed job (-1: none)}
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local due = redis.call("ZRANGEBYSCORE", KEYS[4], 0, now * 4096 + 4095, "LIMIT", 0, 1000)
for _, id in ipairs(due) do
  local job = ARGV[1] .. id
  local priority = tonumber(redis.call("HGET", job, "priority") or 0)
  redis.call("ZREM", KEYS[4], id)
  if priority > 0 then
    redis.call("ZADD", KEYS[3], priority * 4294967296 + redis.call("INCR", KEYS[7]) % 4294967296, id)
  else
    redis.call("LPUSH", KEYS[1], id)
  end
  if redis.call("EXISTS", job) == 1 then
    redis.call("HSET", job, "delay", 0)
  end
  redis.call("XADD", KEYS[6], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", id, "prev", "delayed")
end

while true do
  local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[2])
  if not id then
    id = redis.call("ZPOPMIN", KEYS[3])[1]
    if not id then
      break
    end
    redis.call("LPUSH", KEYS[2], id)
  end
  local job = ARGV[1] .. id
  if redis.call("EXISTS", job) == 1 then
    redis.call("SET", job .. ":lock", ARGV[2], "PX", ARGV[3])
    redis.call("HSET", job, "processedOn", now)
    redis.call("HINCRBY", job, "ats", 1)
    redis.call("XADD", KEYS[6], "MAXLEN", "~", 10000, "*", "event", "active", "jobId", id, "prev", "waiting")
    if redis.call("EXISTS", KEYS[1], KEYS[3], KEYS[4]) > 0 then
      redis.call("ZADD", KEYS[5], 0, "0") -- wake the next worker: it takes a job or learns when one is due
    end
    return {id, redis.call("HGETALL", job)}
  end
  redis.call("LREM", KEYS[2], 1, id) -- the job was removed by somebody else
end

local soonest = redis.call("ZRANGE", KEYS[4], 0, 0, "WITHSCORES")
return {"", soonest[2] and math.max(1, math.floor(soonest[2] / 4096) - now) or -1}

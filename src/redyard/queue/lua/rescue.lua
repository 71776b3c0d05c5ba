#!lua flags=allow-oom
-- Put the active jobs that nobody holds back in line: their worker vanished. One that vanishes with its workers more
-- often than allowed has failed, lest it takes them all down.
--
-- KEYS[1] active  [2] wait  [3] failed  [4] marker  [5] events
-- ARGV[1]  prefix "bull:{queue}:", from which the keys of jobs and locks are built
-- ARGV[2]  how often a job may stall
--
-- Returns the ids of the stalled jobs
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stalled = {}
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
  local job = ARGV[1] .. id
  if redis.call("EXISTS", job .. ":lock") == 0 then
    redis.call("LREM", KEYS[1], 1, id)
    if redis.call("EXISTS", job) == 1 then
      stalled[#stalled + 1] = id
      redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "stalled", "jobId", id)
      if redis.call("HINCRBY", job, "stc", 1) > tonumber(ARGV[2]) then
        local reason = "job stalled more than allowable limit"
        redis.call("HSET", job, "failedReason", reason, "finishedOn", now)
        redis.call("ZADD", KEYS[3], now, id)
        redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "failed", "jobId", id, "failedReason", reason,
          "prev", "active")
      else
        redis.call("RPUSH", KEYS[2], id)
        redis.call("XADD", KEYS[5], "MAXLEN", "~", 10000, "*", "event", "waiting", "jobId", id, "prev", "active")
        redis.call("ZADD", KEYS[4], 0, "0")
      end
    end
  end
end
return stalled

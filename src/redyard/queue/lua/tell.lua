#!lua flags=allow-oom
-- Keep what a running job tells: its progress, or a line of its log.
--
-- KEYS[1] job  [2] logs of the job  [3] events
-- ARGV[1]  job id  [2] "progress" or "log"  [3] progress (JSON) or the line
--
-- Returns 1; 0 when there is no such job
if redis.call("EXISTS", KEYS[1]) == 0 then
  return 0
end
if ARGV[2] == "log" then
  redis.call("RPUSH", KEYS[2], ARGV[3])
  redis.call("LTRIM", KEYS[2], -1000, -1)
else
  redis.call("HSET", KEYS[1], "progress", ARGV[3])
  redis.call("XADD", KEYS[3], "MAXLEN", "~", 10000, "*", "event", "progress", "jobId", ARGV[1], "data", ARGV[3])
end
return 1

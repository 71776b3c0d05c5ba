#!lua flags=allow-oom
-- Cancels a job: its next start fails it without running it, and a worker that runs it hears of it.
--
-- KEYS[1]  the job
-- KEYS[2]  delayed
-- KEYS[3]  wait
-- KEYS[4]  marker
-- KEYS[5]  redyard-cancelled
-- KEYS[6]  active
-- KEYS[7]  events
-- ARGV[1]  job's id
-- ARGV[2]  reason
-- ARGV[3]  seconds for which workers may hear of it
-- Returns  1, or 0 when there is no such job or it has finished
if redis.call("EXISTS", KEYS[1]) == 0 or redis.call("HEXISTS", KEYS[1], "finishedOn") == 1 then
  return 0
end
redis.call("HSET", KEYS[1], "defa", ARGV[2])
if redis.call("ZREM", KEYS[2], ARGV[1]) == 1 then
  redis.call("RPUSH", KEYS[3], ARGV[1])
  redis.call("ZADD", KEYS[4], 0, "0")
  redis.call("HSET", KEYS[1], "delay", 0)
  redis.call("XADD", KEYS[7], "*", "event", "waiting", "jobId", ARGV[1], "prev", "delayed")
elseif redis.call("LPOS", KEYS[6], ARGV[1]) then
  redis.call("SADD", KEYS[5], ARGV[1])
  redis.call("EXPIRE", KEYS[5], ARGV[3])
end
return 1

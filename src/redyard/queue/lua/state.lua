#!lua flags=no-writes
-- Find where a job is.
--
-- KEYS[1] wait  [2] active  [3] prioritized  [4] delayed  [5] completed  [6] failed
-- ARGV[1]  job id
--
-- Returns "waiting", "active", "prioritized", "delayed", "completed", "failed" or "unknown"
local states = {"waiting", "active", "prioritized", "delayed", "completed", "failed"}
for i = 3, 6 do
  if redis.call("ZSCORE", KEYS[i], ARGV[1]) then
    return states[i]
  end
end
for i = 2, 1, -1 do
  if redis.call("LPOS", KEYS[i], ARGV[1]) then
    return states[i]
  end
end
return "unknown"

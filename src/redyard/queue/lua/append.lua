#!lua
-- Adds jobs that wait for nothing: no delay, no priority, no parent, no deduplication. All of them, or none.
-- It leaves what BullMQ's addStandardJob leaves when it is called for one after the other.
--
-- KEYS[1]  wait
-- KEYS[2]  meta
-- KEYS[3]  id
-- KEYS[4]  active
-- KEYS[5]  events
-- KEYS[6]  marker
-- ARGV[1]  the queue's prefix
-- ARGV[2]  and on, for each job: id, name, data, options as JSON, when it was added in ms
-- Returns  how many are new; the others were there already
local call = redis.call
local base, events = ARGV[1], KEYS[5]
call("INCRBY", KEYS[3], (#ARGV - 1) / 5)
local meta = call("HMGET", KEYS[2], "paused", "concurrency", "opts.maxLenEvents")
local most = meta[3]
if not most then
  most = "10000"
  call("HSET", KEYS[2], "opts.maxLenEvents", most)
end
local new = {}
for place = 2, #ARGV, 5 do
  local id, name = ARGV[place], ARGV[place + 1]
  local key = base .. id
  if call("EXISTS", key) == 1 then
    call("XADD", events, "MAXLEN", "~", most, "*", "event", "duplicated", "jobId", id)
  else
    call("HSET", key, "name", name, "data", ARGV[place + 2], "opts", ARGV[place + 3],
      "timestamp", ARGV[place + 4], "delay", "0", "priority", "0")
    call("XADD", events, "*", "event", "added", "jobId", id, "name", name)
    call("XADD", events, "MAXLEN", "~", most, "*", "event", "waiting", "jobId", id)
    new[#new + 1] = id
  end
end
if #new > 0 then
  call("LPUSH", KEYS[1], unpack(new))
  if not (meta[1] or (meta[2] and call("LLEN", KEYS[4]) >= tonumber(meta[2]))) then
    call("ZADD", KEYS[6], 0, "0")
  end
end
return #new

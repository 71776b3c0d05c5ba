-- Take one of a client's slots, or keep one that is held, for the length of a lease; ended leases free theirs.
--
-- KEYS[1]  the client's leases: a sorted set of their ids by the millisecond at which they end
-- ARGV[1]  limit: leases at the same time
-- ARGV[2]  lease: milliseconds
-- ARGV[3]  id of the lease
--
-- Returns {1 if the slot is held, else 0, slots that are free, milliseconds until the first lease ends}
local limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local held = redis.call("ZSCORE", KEYS[1], ARGV[3]) and 1 or 0
local count = redis.call("ZCARD", KEYS[1])
if held == 1 or count < limit then
  redis.call("ZADD", KEYS[1], string.format("%.0f", now + lease), ARGV[3])
  if redis.call("PTTL", KEYS[1]) < lease then
    redis.call("PEXPIRE", KEYS[1], lease)
  end
  return {1, math.max(0, limit - count - 1 + held), 0}
end
local first = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
return {0, 0, math.max(1, tonumber(first[2]) - now)}

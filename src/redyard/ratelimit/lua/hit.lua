-- Count one hit of a client by GCRA, on the server's clock.
--
-- The key holds the moment, in microseconds, at which all counted hits are paid for (the theoretical arrival time).
-- A hit adds one interval to it; it is allowed while that moment is no more than `per` ahead of now.
--
-- KEYS[1]  the client's key
-- ARGV[1]  limit: hits within the period
-- ARGV[2]  per: the period in microseconds
-- ARGV[3]  cost: how many hits this one counts for
--
-- Returns {allowed (1 or 0), remaining hits, microseconds until such a hit is allowed}
local limit, per, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local interval = per / limit
local paid = math.max(tonumber(redis.call("GET", KEYS[1]) or 0), now)
local ahead = paid + interval * cost - now - per

if ahead > 0.5 then
  return {0, math.max(0, math.floor((now + per - paid) / interval + 0.001)), math.ceil(ahead)}
end
paid = paid + interval * cost
redis.call("SET", KEYS[1], string.format("%.0f", paid), "PX", math.max(1, math.ceil((paid - now) / 1000)))
return {1, math.floor((now + per - paid) / interval + 0.001), 0}

-- Count one hit of a client by GCRA, on the server's clock: what ask.lua does for "hit", "gcra" and one key, in half the
-- server's time, because it leaves to its caller what follows from one number.
--
-- KEYS[1]  the client's key: the moment, in microseconds, at which all counted hits are paid for
-- ARGV[1]  microseconds of a step, by which a hit moves that moment
-- ARGV[2]  microseconds that the moment may be ahead
-- ARGV[3]  amount: how many hits this one counts for
--
-- Returns the microseconds from now to that moment, after a hit that is allowed; -1 less them for one that is refused.
-- As a text if what the key held could not be read: then it begins anew
local call = redis.call
local time, old = call("TIME"), redis.pcall("GET", KEYS[1])
local now, read = time[1] * 1000000 + time[2], old
if old then
  read = type(old) == "string" and string.match(old, "^%d+$")
end
local ahead = read and read - now or 0
if ahead < 0 then
  ahead = 0
end

local after = ahead + ARGV[3] * ARGV[1]
if after > ARGV[2] + 0 then
  after = -1 - ahead
else
  call("SET", KEYS[1], now + after, "PX", math.ceil(after / 1000))
end
return old and not read and string.format("%.0f", after) or after

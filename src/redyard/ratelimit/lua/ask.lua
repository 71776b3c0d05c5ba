-- Ask one limit or several about a client each, and count the hit in all of them or in none. The clock is the server's.
--
-- Two rules. "gcra" holds the moment, in microseconds, at which all counted hits are paid for (the theoretical arrival
-- time): a hit adds one step to it and is allowed while it is no more than `most` steps ahead. "window" holds the hits
-- of the last 21 steps, each a 20th of the period, as the number of the newest step, the moment until which the client
-- is blocked, and 21 counts of 3 bytes: a hit counts for 20 to 21 steps, so that no period has more than `most`.
--
-- KEYS[1..]  the client's key of each limit
-- ARGV[1]    verb: "hit" counts if all limits allow it, "peek" only looks, "charge" adds (or gives back) whatever the
--            limit says, "block" refuses for a time
-- ARGV[2..]  for each key four: rule, microseconds of a step, most, amount (hits; for "block" microseconds)
--
-- Returns for each key five: {allowed (1 or 0), remaining hits, microseconds until such a hit is allowed,
-- microseconds until more than `remaining` remain, 1 if what the key held could not be read}
local LONGEST = 316224000000000 -- ten years, beyond which no penalty reaches
local BUCKETS, LAYOUT, FULL = 21, "<dd" .. string.rep("I3", 21), 16777215
local verb = ARGV[1]
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]

local function save(key, value, lasting)
  if lasting > 0 then
    redis.call("SET", key, value, "PX", math.ceil(lasting / 1000))
  else
    redis.call("DEL", key)
  end
end

local gcra, window = {}, {}

function gcra.read(old, step, most)
  local paid = old and string.match(old, "^%d+$")
  return math.max(now, tonumber(paid) or 0), old and not paid
end

function gcra.add(paid, step, most, amount)
  return math.min(now + LONGEST, math.max(now, paid + amount * step))
end

function gcra.block(paid, step, most, amount)
  return math.max(paid, now + amount + (most - 1) * step)
end

function gcra.wait(paid, step, most, amount)
  return math.max(0, paid + (amount - most) * step - now)
end

function gcra.left(paid, step, most)
  local left = math.max(0, math.floor(most - (paid - now) / step))
  return left, left < most and paid - now - (most - left - 1) * step or 0
end

function gcra.save(key, paid)
  save(key, string.format("%.0f", paid), paid - now)
end

local function used(hits)
  local sum = 0
  for i = 1, BUCKETS do
    sum = sum + hits[i]
  end
  return sum
end

-- The microseconds until enough steps have left the window for `room` more hits.
local function until_room(hits, step, most, room)
  local free, first = most - used(hits), math.floor(now / step) - BUCKETS
  local i = 0
  while free < room and i < BUCKETS do
    i = i + 1
    free = free + hits[i]
  end
  return math.max(i > 0 and (first + i + BUCKETS) * step - now or 0, hits.blocked - now, 0)
end

function window.read(old, step)
  local hits, broken = {blocked = 0}, old and #old ~= struct.size(LAYOUT)
  local fields = old and not broken and {struct.unpack(LAYOUT, old)} or {0, 0}
  local gone = math.floor(now / step) - fields[1]
  hits.blocked = fields[2]
  for i = 1, BUCKETS do
    hits[i] = gone >= 0 and i + gone <= BUCKETS and fields[2 + i + gone] or 0
  end
  return hits, broken
end

function window.add(hits, step, most, amount)
  local rest = amount
  for i = BUCKETS, 1, -1 do
    local count = math.min(FULL, math.max(0, hits[i] + rest))
    rest, hits[i] = rest < 0 and rest - count + hits[i] or 0, count
  end
  return hits
end

function window.block(hits, step, most, amount)
  hits.blocked = math.max(hits.blocked, now + amount)
  return hits
end

function window.wait(hits, step, most, amount)
  return until_room(hits, step, most, amount)
end

function window.left(hits, step, most)
  local left = hits.blocked > now and 0 or math.max(0, most - used(hits))
  return left, left < most and until_room(hits, step, most, left + 1) or 0
end

function window.save(key, hits, step)
  local newest = math.floor(now / step)
  local lasting = math.max(until_room(hits, step, used(hits), used(hits)), hits.blocked - now)
  save(key, struct.pack(LAYOUT, newest, hits.blocked, unpack(hits, 1, BUCKETS)), lasting)
end

local rules, states, waits, free = {gcra = gcra, window = window}, {}, {}, true
local replies = {}
for n, key in ipairs(KEYS) do
  local rule, step, most, amount = rules[ARGV[4 * n - 2]], tonumber(ARGV[4 * n - 1]), tonumber(ARGV[4 * n]),
    tonumber(ARGV[4 * n + 1])
  local old = redis.pcall("GET", key)
  if type(old) == "table" then
    old = "" -- another type of key
  end
  local state, broken = rule.read(old, step, most)
  local wait = rule.wait(state, step, most, amount)
  states[n], waits[n], free = state, wait, free and wait <= 0
  replies[5 * n] = broken and 1 or 0
end

for n, key in ipairs(KEYS) do
  local rule, step, most, amount = rules[ARGV[4 * n - 2]], tonumber(ARGV[4 * n - 1]), tonumber(ARGV[4 * n]),
    tonumber(ARGV[4 * n + 1])
  local state, wait = states[n], waits[n]
  if verb == "block" then
    state = rule.block(state, step, most, amount)
  elseif verb == "charge" or (verb == "hit" and free) then
    state = rule.add(state, step, most, amount)
  end
  if verb == "charge" or verb == "block" then
    wait = rule.wait(state, step, most, 1)
  end
  if verb ~= "peek" and (verb ~= "hit" or free) then
    rule.save(key, state, step)
  end
  local left, more = rule.left(state, step, most)
  replies[5 * n - 4], replies[5 * n - 3] = wait <= 0 and 1 or 0, left
  replies[5 * n - 2], replies[5 * n - 1] = math.ceil(wait), math.ceil(more)
end
return replies

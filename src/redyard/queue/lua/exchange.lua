#!lua flags=allow-oom
-- Ends jobs that completed and takes the next ones, all in one call. It leaves what BullMQ's moveToFinished leaves for
-- each of them, and then moveToActive for each token.
--
-- A job with a parent or a deduplication is not touched: its answer is 1, and moveToFinished is to end it.
--
-- KEYS[1]  wait                KEYS[8]  meta
-- KEYS[2]  active              KEYS[9]  pc
-- KEYS[3]  prioritized         KEYS[10] marker
-- KEYS[4]  events              KEYS[11] completed
-- KEYS[5]  stalled             KEYS[12] metrics:completed
-- KEYS[6]  limiter             KEYS[13] metrics:completed:data
-- KEYS[7]  delayed             KEYS[14] redyard-gone, where the worker waits for a job before this call
-- ARGV[1]  the queue's prefix
-- ARGV[2]  ms that a lock lives
-- ARGV[3]  the worker's name
-- ARGV[4]  jobs that the worker's limit allows, or nothing
-- ARGV[5]  in so many ms
-- ARGV[6]  minutes of which the metrics are kept
-- ARGV[7]  now, in ms; with KEYS[14] the wait's name, and now is the server's; where the wait was given up, so is this
-- ARGV[8]  how many jobs have ended
-- ARGV[9]  completed jobs that are kept; -1 for all
-- ARGV[10] 1 where the next job is taken for the token of each of them
-- ARGV[11] and on, for each job that has ended: id, token, result; then further tokens to take jobs for
-- Returns  for each job that has ended: 0, 1, or BullMQ's number of an error;
--          id and fields of each job that was taken, for the tokens in their order, but those of errors (the fields
--          as they were before: processedOn is now, pb the worker's name, ats one more);
--          ms for which the rate is used up; when the next delayed job is due, in ms; now, in ms
local call = redis.call
local wait, active, prioritized, events, stalled = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, now = ARGV[1], ARGV[7]
if KEYS[14] then
  if call("SISMEMBER", KEYS[14], ARGV[7]) == 1 then
    call("ZADD", KEYS[10], 0, "0") -- what rang is for another worker
    return {{}, {}, 0, 0, ""}
  end
  local time = call("TIME")
  now = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
end
local count = tonumber(ARGV[8])
local first = 11 + 3 * count
local meta = call("HMGET", KEYS[8], "paused", "concurrency", "max", "duration", "opts.maxLenEvents")

local function parts_of(key)
  return key, key .. ":logs", key .. ":dependencies", key .. ":processed", key .. ":failed", key .. ":unsuccessful"
end

local function remove(keys)
  local all = {}
  for _, key in ipairs(keys) do
    local n = #all
    all[n + 1], all[n + 2], all[n + 3], all[n + 4], all[n + 5], all[n + 6] = parts_of(key)
  end
  for from = 1, #all, 6000 do
    call("DEL", unpack(all, from, math.min(from + 5999, #all)))
  end
end

local function trim(kept)
  local keys = call("ZREVRANGE", KEYS[11], kept, -1)
  for n, id in ipairs(keys) do
    keys[n] = base .. id
  end
  if #keys > 0 then
    remove(keys)
    call("ZREMRANGEBYRANK", KEYS[11], 0, -(kept + 1))
  end
end

local function measure(done)
  local before = call("HINCRBY", KEYS[12], "count", done) - done
  local last = call("HMGET", KEYS[12], "prevTS", "prevCount")
  if not last[1] then
    call("HSET", KEYS[12], "prevTS", now, "prevCount", 0)
    return
  end
  local minutes = math.min(math.floor(now / 60000) - math.floor(last[1] / 60000), tonumber(ARGV[6]))
  if minutes > 0 then
    local points = {before - last[2]}
    for place = 2, minutes do
      points[place] = 0
    end
    call("LPUSH", KEYS[13], unpack(points))
    call("LTRIM", KEYS[13], 0, ARGV[6] - 1)
    call("HSET", KEYS[12], "prevCount", before, "prevTS", now)
  end
end

local codes, tokens = {}, {}
local function finish()
  local locks, parts = {}, {}
  for n = 1, count do
    local key = base .. ARGV[8 + 3 * n]
    locks[n] = key .. ":lock"
    parts[2 * n - 1], parts[2 * n] = key .. ":dependencies", key .. ":unsuccessful"
  end
  local holders, awaited = call("MGET", unpack(locks)), call("EXISTS", unpack(parts)) > 0
  local ids, mine, kept = {}, {}, tonumber(ARGV[9])
  if not meta[5] then
    meta[5] = "10000"
    call("HSET", KEYS[8], "opts.maxLenEvents", meta[5])
  end
  local scored, keys = {}, {}
  for n = 1, count do
    local id, token, value = ARGV[8 + 3 * n], ARGV[9 + 3 * n], ARGV[10 + 3 * n]
    local key = base .. id
    local job = call("HMGET", key, "timestamp", "atm", "parentKey", "parent", "deid")
    local code = 0
    if not job[1] and call("EXISTS", key) == 0 then
      code = -1
    elseif job[3] or job[4] or job[5] then
      code = 1
    elseif awaited and call("EXISTS", parts[2 * n - 1]) == 1 then
      code = -4
    elseif awaited and call("EXISTS", parts[2 * n]) == 1 then
      code = -9
    elseif holders[n] ~= token then
      code = holders[n] and -6 or -2
    else
      mine[#mine + 1] = locks[n]
      ids[#ids + 1] = id
      if call("LREM", active, -1, id) == 0 then
        code = -3
      else
        if kept ~= 0 then
          scored[#scored + 1] = now
          scored[#scored + 1] = id
          call("HSET", key, "atm", (job[2] or 0) + 1, "returnvalue", value, "finishedOn", now)
        else
          keys[#keys + 1] = key
        end
        call("XADD", events, "MAXLEN", "~", meta[5], "*", "event", "completed", "jobId", id, "returnvalue", value, "prev", "active")
        tokens[#tokens + 1] = token
      end
    end
    codes[n] = code
  end
  if #ids > 0 then
    call("DEL", unpack(mine))
    call("SREM", stalled, unpack(ids))
  end
  if #tokens == 0 then
    return
  end
  if kept ~= 0 then
    call("ZADD", KEYS[11], unpack(scored))
    if kept > 0 then
      trim(kept)
    end
  else
    remove(keys)
  end
  measure(#tokens)
end

local function promote(maxed)
  local due = call("ZRANGEBYSCORE", KEYS[7], 0, (now + 1) * 0x1000 - 1, "LIMIT", 0, 1000)
  if #due == 0 then
    return
  end
  call("ZREM", KEYS[7], unpack(due))
  for _, id in ipairs(due) do
    local key = base .. id
    local priority = tonumber(call("HGET", key, "priority")) or 0
    if priority == 0 then
      call("LPUSH", wait, id)
    else
      call("ZADD", prioritized, priority * 0x100000000 + call("INCR", KEYS[9]) % 0x100000000, id)
    end
    call("XADD", events, "*", "event", "waiting", "jobId", id, "prev", "delayed")
    call("HSET", key, "delay", 0)
  end
  if not maxed then
    call("ZADD", KEYS[10], 0, "0")
  end
end

local function next_due()
  local due = call("ZRANGE", KEYS[7], 0, 0, "WITHSCORES")[2]
  return due and due / 0x1000 or 0
end

-- The ids of up to so many jobs, which are active now.
local function pop(most)
  local ids = {}
  if most == 1 then
    local id = call("LMOVE", wait, active, "RIGHT", "LEFT")
    if id and string.sub(id, 1, 2) ~= "0:" then
      return {id}
    elseif id then
      call("LREM", active, 1, id)
    end
  end
  for _, id in ipairs(call("RPOP", wait, most) or {}) do
    if string.sub(id, 1, 2) ~= "0:" then
      ids[#ids + 1] = id
    end
  end
  if #ids < most then
    local scored = call("ZPOPMIN", prioritized, most - #ids)
    for place = 1, #scored, 2 do
      ids[#ids + 1] = scored[place]
    end
    if #ids < most then
      call("DEL", KEYS[9])
    end
  end
  if #ids > 0 then
    call("LPUSH", active, unpack(ids))
  end
  return ids
end

local function start(id, token, limit, duration)
  local key = base .. id
  if limit and call("HEXISTS", key, "defa") == 0 and call("INCR", KEYS[6]) == 1 then
    call("PEXPIRE", KEYS[6], math.floor(math.abs(duration)))
  end
  call("SET", key .. ":lock", token, "PX", ARGV[2])
  call("XADD", events, "*", "event", "active", "jobId", id, "prev", "waiting")
  local fields, started = call("HGETALL", key), 0
  for place = 1, #fields, 2 do
    if fields[place] == "ats" then
      started = fields[place + 1]
    end
  end
  call("HSET", key, "processedOn", now, "pb", ARGV[3], "ats", started + 1)
  return fields
end

-- Jobs for the tokens; ms for which the rate is used up; when the next job is due; whether none is to be had.
local function take()
  local taken, wanted = {}, #tokens
  if meta[2] then
    wanted = math.min(wanted, meta[2] - call("LLEN", active))
  end
  local maxed = meta[1] or wanted <= 0
  promote(maxed)
  local limit = tonumber(meta[3] or ARGV[4])
  if limit then
    local used = tonumber(call("GET", KEYS[6]) or 0)
    if used >= limit then
      local left = call("PTTL", KEYS[6])
      if left == 0 then
        call("DEL", KEYS[6])
      elseif left > 0 then
        return taken, left, 0, false
      end
    end
    wanted = math.max(1, math.min(wanted, limit - used))
  end
  if maxed then
    return taken, 0, 0, false
  end
  local duration = ARGV[5] ~= "" and ARGV[5] or meta[4]
  local ids = pop(wanted)
  for n, id in ipairs(ids) do
    taken[2 * n - 1], taken[2 * n] = id, start(id, tokens[n], limit, duration)
  end
  -- BullMQ rings with each job that it takes. Where nothing is left, that would only wake workers for nothing; and who
  -- was woken wakes the next one, so that those who go on from job to job need not.
  if #ids > 0 and count == 0 and call("EXISTS", wait, prioritized, KEYS[7]) > 0 then
    call("ZADD", KEYS[10], 0, "0")
  end
  local due = #ids < #tokens and next_due() or 0
  return taken, 0, due, #ids == 0 and due == 0
end

if count > 0 then
  finish()
end
local finished = #tokens
if ARGV[10] ~= "1" then
  tokens = {}
end
for place = first, #ARGV do
  tokens[#tokens + 1] = ARGV[place]
end
local taken, limited, due, over = {}, 0, 0, true
if #tokens > 0 then
  taken, limited, due, over = take()
end
if over and finished > 0 and call("EXISTS", wait, active, prioritized) == 0 then
  call("XADD", events, "*", "event", "drained")
end
return {codes, taken, limited, due, now}

#!lua flags=allow-oom
-- Ends jobs that completed and takes the next ones, all in one call. It leaves what BullMQ's moveToFinished leaves for
-- each of them, and then moveToActive for each token.
--
-- A job with a parent or a deduplication is not touched: its answer is 1, and moveToFinished is to end it.
--
-- KEYS[1]  wait; the queue's other keys are named after it, as BullMQ's scripts name a job's: a dozen names cost a lone
--          job's worker and server more than all else in its call
-- KEYS[2]  redyard-gone, where the worker waits for a job before this call
-- ARGV[1]  ms that a lock lives
-- ARGV[2]  the worker's name
-- ARGV[3]  jobs that the worker's limit allows, or nothing
-- ARGV[4]  in so many ms
-- ARGV[5]  minutes of which the metrics are kept; nothing where the caller has ended jobs in this minute before
-- ARGV[6]  how many jobs have ended
-- ARGV[7]  completed jobs that are kept; -1 for all
-- ARGV[8]  1 where the next job is taken for the token of each of them
-- ARGV[9]  now, in ms; with KEYS[2] the wait's name, and now is the server's; where the wait was given up, so is this
-- ARGV[10] and on, for each job that has ended: id, token, result; then further tokens to take jobs for
-- Returns  (flat: each list in a list costs as much as half a command) for each job that has ended 0, 1, or BullMQ's
--          number of an error; ms for which the rate is used up; when the next delayed job is due, in ms; now, in ms; and
--          for each job that was taken, for the tokens in their order, but those of errors: its id, how often it has
--          started, and its other fields as they were
local call, now = redis.call, ARGV[9]
local wait, base = KEYS[1], string.sub(KEYS[1], 1, -5)
local active, completed, delayed, events = base .. "active", base .. "completed", base .. "delayed", base .. "events"
local prioritized, stalled = base .. "prioritized", base .. "stalled"
if KEYS[2] then
  if call("SISMEMBER", KEYS[2], now) == 1 then
    call("ZADD", base .. "marker", 0, "0") -- what rang is for another worker
    return {0, 0, now}
  end
  local time = call("TIME")
  now = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
end
local count, kept = tonumber(ARGV[6]), tonumber(ARGV[7])
local points = tonumber(ARGV[5]) -- of the metrics, one a minute
local meta = call("HMGET", base .. "meta", "paused", "concurrency", "max", "opts.maxLenEvents")
local reply, tokens = {}, {}
local rare = true -- there may be some of what mostly is not: children, stalled jobs, delayed ones

-- (All in one piece: to make a function of each part would cost as much as four commands.)

-- ---- what has ended

if count > 0 then
  local locks, parts = {}, {}
  for n = 1, count do
    local key = base .. ARGV[7 + 3 * n]
    locks[n] = key .. ":lock"
    parts[2 * n - 1], parts[2 * n] = key .. ":dependencies", key .. ":unsuccessful"
  end
  rare = call("EXISTS", stalled, delayed, unpack(parts)) > 0
  local holders, awaited = call("MGET", unpack(locks)), rare and call("EXISTS", unpack(parts)) > 0
  if not meta[4] then
    meta[4] = "10000"
    call("HSET", base .. "meta", "opts.maxLenEvents", meta[4])
  end
  local ids, scored, removed, gone = {}, {}, {}, {}
  for n = 1, count do
    local id, token, value = ARGV[7 + 3 * n], ARGV[8 + 3 * n], ARGV[9 + 3 * n]
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
      ids[#ids + 1], gone[#gone + 1] = id, locks[n]
      if call("LREM", active, -1, id) == 0 then
        code = -3
      else
        if kept == 0 then
          removed[#removed + 1] = id
        else
          local place = #scored
          scored[place + 1], scored[place + 2] = now, id
          call("HSET", key, "atm", (job[2] or 0) + 1, "returnvalue", value, "finishedOn", now)
        end
        call("XADD", events, "MAXLEN", "~", meta[4], "*", "event", "completed", "jobId", id, "returnvalue", value, "prev", "active")
        tokens[#tokens + 1] = token
      end
    end
    reply[n] = code
  end
  if rare and #ids > 0 then
    call("SREM", stalled, unpack(ids))
  end

  if #scored > 0 then
    call("ZADD", completed, unpack(scored))
    if points then -- short sets are walked through for each job that is added, but none that has seen a long name
      local long = string.rep("-", 65)
      call("ZADD", completed, 0, long)
      call("ZREM", completed, long)
    end
    if kept > 0 then
      removed = call("ZREVRANGE", completed, kept, -1)
    end
    if #removed > 0 then
      call("ZREMRANGEBYRANK", completed, 0, -(kept + 1))
    end
  end
  for _, id in ipairs(removed) do
    local key, n = base .. id, #gone
    gone[n + 1], gone[n + 2], gone[n + 3] = key, key .. ":logs", key .. ":dependencies"
    gone[n + 4], gone[n + 5], gone[n + 6] = key .. ":processed", key .. ":failed", key .. ":unsuccessful"
  end
  for from = 1, #gone, 6000 do
    call("DEL", unpack(gone, from, math.min(from + 5999, #gone)))
  end

  if #tokens > 0 then
    local metrics = base .. "metrics:completed"
    local before = call("HINCRBY", metrics, "count", #tokens) - #tokens
    if points or before == 0 then
      local last = call("HMGET", metrics, "prevTS", "prevCount")
      local minutes = last[1] and math.floor(now / 60000) - math.floor(last[1] / 60000)
      if not minutes then
        call("HSET", metrics, "prevTS", now, "prevCount", 0)
      elseif minutes > 0 and points then
        local counts = {before - last[2]}
        for place = 2, math.min(minutes, points) do
          counts[place] = 0
        end
        call("LPUSH", metrics .. ":data", unpack(counts))
        call("LTRIM", metrics .. ":data", 0, points - 1)
        call("HSET", metrics, "prevCount", before, "prevTS", now)
      end
    end
  end
end

-- ---- what is next

local finished = #tokens
if ARGV[8] ~= "1" then
  tokens = {}
end
for place = 10 + 3 * count, #ARGV do
  tokens[#tokens + 1] = ARGV[place]
end
local limited, due, last = 0, 0, count + 3
local over = #tokens == 0 -- no job waits, and none is delayed
reply[count + 1], reply[count + 2], reply[count + 3] = 0, 0, now
if #tokens > 0 then
  local most = #tokens
  if meta[2] then
    most = math.min(most, meta[2] - call("LLEN", active))
  end
  local maxed = meta[1] or most <= 0

  local promoted = rare and call("ZRANGEBYSCORE", delayed, 0, (now + 1) * 0x1000 - 1, "LIMIT", 0, 1000) or {}
  if #promoted > 0 then
    call("ZREM", delayed, unpack(promoted))
    for _, id in ipairs(promoted) do
      local key = base .. id
      local priority = tonumber(call("HGET", key, "priority")) or 0
      if priority == 0 then
        call("LPUSH", wait, id)
      else
        call("ZADD", prioritized, priority * 0x100000000 + call("INCR", base .. "pc") % 0x100000000, id)
      end
      call("XADD", events, "*", "event", "waiting", "jobId", id, "prev", "delayed")
      call("HSET", key, "delay", 0)
    end
    if not maxed then
      call("ZADD", base .. "marker", 0, "0")
    end
  end

  local limit = tonumber(meta[3] or ARGV[3])
  local limiter = limit and base .. "limiter"
  if limit then
    local used = tonumber(call("GET", limiter) or 0)
    if used >= limit then
      limited = call("PTTL", limiter)
      if limited == 0 then
        call("DEL", limiter)
      end
      limited = math.max(0, limited)
    end
    most = math.max(1, math.min(most, limit - used))
  end

  if limited == 0 and not maxed then
    local ids = {}
    local one = most == 1 and call("LMOVE", wait, active, "RIGHT", "LEFT")
    if one and string.sub(one, 1, 2) == "0:" then -- an older BullMQ's marker
      call("LREM", active, 1, one)
      one = false
    end
    if one then
      ids[1] = one
    else
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
          call("DEL", base .. "pc")
        end
      end
      if #ids > 0 then
        call("LPUSH", active, unpack(ids))
      end
    end

    for n, id in ipairs(ids) do
      local key = base .. id
      if limit and call("HEXISTS", key, "defa") == 0 and call("INCR", limiter) == 1 then
        local duration = ARGV[4] ~= "" and ARGV[4] or call("HGET", base .. "meta", "duration")
        call("PEXPIRE", limiter, math.floor(math.abs(duration)))
      end
      call("SET", key .. ":lock", tokens[n], "PX", ARGV[1])
      call("XADD", events, "*", "event", "active", "jobId", id, "prev", "waiting")
      local fields, started = call("HGETALL", key), 0
      for place = 1, #fields, 2 do
        if fields[place] == "ats" then
          started = fields[place + 1]
        end
      end
      call("HSET", key, "processedOn", now, "pb", ARGV[2], "ats", started + 1)
      reply[last + 1], reply[last + 2], reply[last + 3] = id, started + 1, fields
      last = last + 3
    end

    -- BullMQ rings with each job that it takes. Where nothing is left, that would only wake workers for nothing; and
    -- who was woken wakes the next one, so that those who go on from job to job need not.
    if #ids > 0 and count == 0 and call("EXISTS", wait, prioritized, delayed) > 0 then
      call("ZADD", base .. "marker", 0, "0")
    end
    if #ids < #tokens then
      local soonest = call("ZRANGE", delayed, 0, 0, "WITHSCORES")[2]
      due = soonest and soonest / 0x1000 or 0
    end
    over = #ids == 0 and due == 0
  end
end
if over and finished > 0 and call("EXISTS", wait, active, prioritized) == 0 then
  call("XADD", events, "*", "event", "drained")
end
reply[count + 1], reply[count + 2] = limited, due
return reply

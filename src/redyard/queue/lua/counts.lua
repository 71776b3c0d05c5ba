#!lua flags=no-writes
-- Count the jobs of each state, all at the same moment; a transaction could not do it while memory is full.
--
-- KEYS[1] wait  [2] active  [3] prioritized  [4] delayed  [5] completed  [6] failed
--
-- Returns the six numbers in that order
local numbers = {}
for i, key in ipairs(KEYS) do
  numbers[i] = redis.call(i <= 2 and "LLEN" or "ZCARD", key)
end
return numbers

-- Look at a page of keys: their memory by prefix, and those that may be among the biggest. It only reads.
--
-- ARGV[1]  cursor of SCAN
-- ARGV[2]  about how many keys
-- ARGV[3]  elements of each collection to measure; 0 for all
-- ARGV[4]  bytes above which a key is told by name
--
-- Returns the next cursor; for each prefix {name, keys, bytes, keys without an end, bytes of the largest}; for each large
-- key {bytes, name, type}. A key that has ended meanwhile, or that the user may not see, is left out
local call, pcall, find, sub = redis.call, redis.pcall, string.find, string.sub
local page = call("SCAN", ARGV[1], "COUNT", ARGV[2])
local samples, least = ARGV[3], ARGV[4] + 0
local rows, by_prefix, large = {}, {}, {}

for _, name in ipairs(page[2]) do
  local size = pcall("MEMORY", "USAGE", name, "SAMPLES", samples)
  if type(size) == "number" then
    local mark = find(name, ":", 1, true)
    local prefix = mark and sub(name, 1, mark - 1) or "(none)"
    local row = by_prefix[prefix]
    if not row then
      row = {prefix, 0, 0, 0, 0}
      by_prefix[prefix] = row
      rows[#rows + 1] = row
    end
    row[2], row[3] = row[2] + 1, row[3] + size
    if pcall("PTTL", name) == -1 then
      row[4] = row[4] + 1
    end
    if size > row[5] then
      row[5] = size
    end
    if size > least then
      large[#large + 1] = {size, name, call("TYPE", name).ok}
    end
  end
end
return {page[1], rows, large}

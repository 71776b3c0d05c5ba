-- Give a session so long to live from now on; 0 ends it.
--
-- KEYS[1]  the session's key
-- ARGV[1]  time to live in ms
--
-- Returns 1, or 0 when there is no such session
return redis.call("PEXPIRE", KEYS[1], ARGV[1])

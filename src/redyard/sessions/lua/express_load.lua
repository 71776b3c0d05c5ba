-- Read a session that Express wrote, and the time that is left to it: whether to touch it is in the record.
--
-- KEYS[1]  the session's key
--
-- Returns {JSON, ms to live}; nothing when there is no such session
local record = redis.call("GET", KEYS[1])
return record and { record, redis.call("PTTL", KEYS[1]) }

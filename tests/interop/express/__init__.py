"""Express 5, express-session and connect-redis, whose sessions ours are."""

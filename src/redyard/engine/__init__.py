"""The engine: find the program, ask what it can, configure it, start it, hold its directory's lock."""

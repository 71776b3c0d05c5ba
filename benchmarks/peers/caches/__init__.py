"""The caches that are measured: a module makes each, `drive` runs it."""

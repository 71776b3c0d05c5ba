"""The clients that are measured: a module connects each, `load` drives it; ioredis.cjs does the same in Node."""

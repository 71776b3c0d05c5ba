"""The queues that are measured: a module adds and works each, `load` drives it; bullmq.cjs does the same in Node."""

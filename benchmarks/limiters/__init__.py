"""The limiters that are measured: a module connects each, `load` drives it; `apps` and apps.cjs put it into an app."""

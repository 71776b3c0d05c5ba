"""The reference app: paid agent tasks on FastAPI, with every piece of the kit in its place. README.md is the map."""

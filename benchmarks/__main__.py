"""`make bench`: measure, and print the tables of docs/benchmarks.md. `make bench ARGS=commands` runs one of them."""

import importlib
import sys

TABLES = ("commands", "client", "queue", "sessions", "cache", "ratelimit", "moves", "backups", "memory", "tls")


def main() -> None:
    for name in [word for word in sys.argv[1:] if not word.startswith("-")] or TABLES:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()

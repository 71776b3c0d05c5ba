"""The apps of the limiters under uvicorn, each with /free, where nobody is refused, and /shut, where everybody is.

`python -m benchmarks.limiters.apps NAME PORT` serves one on loopback; REDIS_URL names the server.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response

MANY, HOUR = 10**6, 3600
URL = os.environ.get("REDIS_URL", "")


def routes(app: FastAPI, free: Any = None, shut: Any = None) -> FastAPI:
    """Add the two routes, each with a dependency where there is one."""

    @app.get("/free", dependencies=[Depends(free)] if free else [])
    async def at_free() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/shut", dependencies=[Depends(shut)] if shut else [])
    async def at_shut() -> dict[str, bool]:
        return {"ok": True}

    return app


def bare() -> FastAPI:
    return routes(FastAPI())


def redyard_options() -> dict[str, Any]:
    redyard, budgets = map(import_module, ("redyard", "redyard.asgi.budgets"))
    redis = redyard.Redis.from_url(URL)
    limits = {"/free": redyard.RateLimit(redis, "free", MANY, 1), "/shut": redyard.RateLimit(redis, "shut", 1, HOUR)}
    return {"budgets": [budgets.Budget(limit, paths=[path]) for path, limit in limits.items()]}


def redyard() -> Any:
    """Around the app: a refusal meets nothing of the framework."""
    return import_module("redyard.asgi.ratelimit").RateLimitMiddleware(routes(FastAPI()), **redyard_options())


def redyard_added() -> FastAPI:
    app = routes(FastAPI())
    app.add_middleware(import_module("redyard.asgi.ratelimit").RateLimitMiddleware, **redyard_options())
    return app


def redyard_dependency() -> FastAPI:
    redyard, door = map(import_module, ("redyard", "redyard.asgi.fastapi"))
    redis = redyard.Redis.from_url(URL)
    limits = redyard.RateLimit(redis, "free", MANY, 1), redyard.RateLimit(redis, "shut", 1, HOUR)
    app = routes(FastAPI(), *map(door.rate_limited, limits))
    door.answer_problems(app)
    return app


def slowapi() -> FastAPI:
    slowapi, util, errors = map(import_module, ("slowapi", "slowapi.util", "slowapi.errors"))
    limiter = slowapi.Limiter(key_func=util.get_remote_address, storage_uri=URL, headers_enabled=True)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(errors.RateLimitExceeded, slowapi._rate_limit_exceeded_handler)

    @app.get("/free")
    @limiter.limit(f"{MANY * HOUR}/hour")
    async def free(request: Request, response: Response) -> dict[str, bool]:  # noqa: ARG001 - slowapi looks for them
        return {"ok": True}

    @app.get("/shut")
    @limiter.limit("1/hour")
    async def shut(request: Request, response: Response) -> dict[str, bool]:  # noqa: ARG001
        return {"ok": True}

    return app


def alcazaba() -> FastAPI:
    names = ("fastapi_alcazaba", "fastapi_alcazaba.backends.redis", "fastapi_alcazaba.limiter", "redis.asyncio")
    package, backends, limiters, client = map(import_module, names)
    package.FastAPICache.init(backends.RedisBackend(client.Redis.from_url(URL)), prefix="bench")
    make = limiters.FastAPIRateLimiter
    return routes(FastAPI(), make(MANY * HOUR, hours=1), make(1, hours=1))


def fastapi_limiter() -> FastAPI:
    """With pyrate-limiter's bucket in Redis: that in memory, as in its README, counts for one process alone."""
    pyrate, depends, client = map(import_module, ("pyrate_limiter", "fastapi_limiter.depends", "redis.asyncio"))
    limiters: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        redis = client.Redis.from_url(URL)
        for name, limit in (("free", MANY * HOUR), ("shut", 1)):
            bucket = await pyrate.RedisBucket.init([pyrate.Rate(limit, HOUR * 1000)], redis, name)
            limiters[name] = depends.RateLimiter(limiter=pyrate.Limiter(bucket))
        yield
        await redis.aclose()

    def of(name: str) -> Any:
        async def dependency(request: Request, response: Response) -> None:
            await limiters[name](request, response)

        return dependency

    return routes(FastAPI(lifespan=lifespan), of("free"), of("shut"))


def main() -> None:
    app = globals()[sys.argv[1]]()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()

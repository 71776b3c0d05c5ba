"""`redyard health`: what the endpoints answer, for a container's or a timer's check."""

import asyncio
import os
import time
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.servers import Server, find
from redyard.client import Redis
from redyard.errors import Unhealthy
from redyard.health import Health, Report, Result
from redyard.settings import Settings

EXAMPLES = ("redyard health", "redyard health redis-store --json", 'redyard health "$REDIS_URL" --durable')


def health(
    out: Output,
    what: Annotated[
        str | None,
        typer.Argument(metavar="NAME|URL", help="An add-on, an instance, or an address. Default: REDIS_URL."),
    ] = None,
    durable: Annotated[
        bool, typer.Option("--durable", help="A server that throws keys away is not healthy; so it is with a store.")
    ] = False,
) -> None:
    """Say whether Redis takes a write; for a container's check.

    It answers within about a second what the endpoint /complete answers. The exit status is 0 when all is healthy.
    """
    report = asyncio.run(_ask(find(what), durable=durable))
    out.show(report.to_json(), "examined_views:health")
    if not report.healthy:
        raise typer.Exit(Unhealthy.status)


async def _ask(servers: list[Server], *, durable: bool) -> Report:
    results = await asyncio.gather(*(_check(server, durable=durable) for server in servers))
    return Report({server.name: result for server, result in zip(servers, results, strict=True)}, time.time())


async def _check(server: Server, *, durable: bool) -> Result:
    redis = Redis.from_url(server.url, ssl_ca_certs=Settings.read(os.environ).redis_ca_file or None)
    is_store = server.instance is not None and server.instance["role"] == "store"
    try:
        return await Health(redis, durable=durable or is_store).redis()
    finally:
        await redis.aclose()

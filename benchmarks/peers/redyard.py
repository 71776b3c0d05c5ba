"""Redyard as an app uses it: deadlines, repeats and counters on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redyard.client import Redis


@asynccontextmanager
async def connect(url: str, _: int) -> AsyncIterator[Redis]:
    async with Redis.from_url(url) as client:
        yield client

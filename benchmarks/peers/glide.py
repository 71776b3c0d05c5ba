"""valkey-glide as it is shipped; a longer request timeout than its 250 ms keeps a shared machine from failing it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from glide import GlideClient, GlideClientConfiguration, NodeAddress


@asynccontextmanager
async def connect(url: str, _: int) -> AsyncIterator[GlideClient]:
    address = urlsplit(url)
    nodes = [NodeAddress(address.hostname, address.port)]
    client = await GlideClient.create(GlideClientConfiguration(nodes, request_timeout=5000))
    try:
        yield client
    finally:
        await client.close()

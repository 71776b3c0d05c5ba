"""The client: a `redis.asyncio.Redis` whose defaults are safe for an app, and what the capabilities run on."""

from redyard.client.deadline import Deadline
from redyard.client.redis import Redis
from redyard.client.scripts import Script, raw

__all__ = ["Deadline", "Redis", "Script", "raw"]

"""Where a process runs, as its environment tells: what differs between a laptop and a platform."""

from collections.abc import Mapping

RESOLVE_WITHIN = 30.0
"""Seconds for which a private name may be unknown in a container's first moments (seen on Railway)."""

PRIVATE_NETWORK = ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_ENVIRONMENT", "RENDER")
"""Variables of platforms whose services find each other by names of a private network."""


def has_private_network(environ: Mapping[str, str]) -> bool:
    """Say whether the platform gives names that exist a little later than the process."""
    return any(environ.get(name) for name in PRIVATE_NETWORK)

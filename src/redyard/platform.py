"""Where a process runs, as its environment tells: what differs between a laptop and a platform."""

from collections.abc import Mapping

RESOLVE_WITHIN = 30.0
"""Seconds for which a private name may be unknown in a container's first moments (seen on Railway)."""

PRIVATE_NETWORK = ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_ENVIRONMENT", "RENDER")
"""Variables of platforms whose services find each other by names of a private network."""


def has_private_network(environ: Mapping[str, str]) -> bool:
    """Say whether the platform gives names that exist a little later than the process."""
    return any(environ.get(name) for name in PRIVATE_NETWORK)


DRAINING = {"RAILWAY_PROJECT_ID": 0.0, "RAILWAY_ENVIRONMENT_ID": 0.0, "DYNO": 30.0, "KUBERNETES_SERVICE_HOST": 30.0}
"""Seconds that platforms leave a process between SIGTERM and SIGKILL when nobody told them otherwise."""

RAILWAY_DRAINING = "RAILWAY_DEPLOYMENT_DRAINING_SECONDS"


def draining(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between SIGTERM and SIGKILL, where the platform is known."""
    told = environ.get(RAILWAY_DRAINING, "")
    if told.isdecimal():
        return float(told)
    return next((seconds for name, seconds in DRAINING.items() if environ.get(name)), None)

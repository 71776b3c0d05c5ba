"""Where a process runs, as its environment tells, and what is wrong there with the variables that name Redis.

A platform is a row. Production is never guessed from being on one: environments of pull requests exist.
"""

import re
import socket
from collections.abc import Mapping
from typing import NamedTuple

RESOLVE_WITHIN = 30.0
"""Seconds for which a private name may be unknown in a container's first moments (seen on Railway)."""


class Platform(NamedTuple):
    """A row: the variables that give the platform away, those that name its environment, and how REDIS_URL gets there.

    `late_names`: services find each other by names that exist a little later than the process.
    """

    name: str
    marks: tuple[str, ...]
    environment: tuple[str, ...]
    late_names: bool
    advice: str


RAILWAY = Platform(
    "Railway",
    ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_ENVIRONMENT"),
    ("RAILWAY_ENVIRONMENT_NAME", "RAILWAY_ENVIRONMENT"),
    True,
    "On Railway a service has only its own variables. Set a reference on this one: REDIS_URL=${{Redis.REDIS_URL}}, "
    "with the exact name of the Redis service (capitals count), and deploy.",
)
HEROKU = Platform(
    "Heroku",
    ("DYNO",),
    (),
    False,
    "On Heroku the add-on sets it: `heroku addons:create heroku-redis:mini`, or attach an existing one.",
)
RENDER = Platform(
    "Render",
    ("RENDER",),
    (),
    True,
    "On Render copy the Internal URL of the Key Value service to REDIS_URL, or use `fromService` in render.yaml.",
)
LOCAL = Platform(
    "local", (), (), False, "Run the app under `redyard run -- COMMAND`, or set REDIS_URL=redis://USER:PASSWORD@HOST."
)
TABLE = (RAILWAY, HEROKU, RENDER, LOCAL)

PRIVATE = ".railway.internal"
PROXY = ".proxy.rlwy.net"

LOOKUPS = {
    socket.EAI_NONAME: "no such name (NXDOMAIN): no running container has it; is it misspelt, or being redeployed?",
    socket.EAI_AGAIN: "the name server does not answer or fails (SERVFAIL): the name may be right; try again",
}
"""What a failed look-up of a name means, by the system's number."""


def detect(environ: Mapping[str, str]) -> Platform:
    """Return the platform that an environment is of; LOCAL when no other."""
    return next((row for row in TABLE if any(environ.get(mark) for mark in row.marks)), LOCAL)


def is_production(environ: Mapping[str, str]) -> bool:
    """Say whether this is production: APP_ENV says so or, without it, the platform's own name of the environment."""
    if explicit := environ.get("APP_ENV", ""):
        return explicit == "production"
    names = (environ.get(name, "") for name in detect(environ).environment)
    return next(filter(None, names), "") == "production"


def has_private_network(environ: Mapping[str, str]) -> bool:
    """Say whether the platform gives names that exist a little later than the process."""
    return detect(environ).late_names


DRAINING = {"RAILWAY_PROJECT_ID": 0.0, "RAILWAY_ENVIRONMENT_ID": 0.0, "DYNO": 30.0, "KUBERNETES_SERVICE_HOST": 30.0}
"""Seconds that platforms leave a process between SIGTERM and SIGKILL when nobody told them otherwise."""

RAILWAY_DRAINING = "RAILWAY_DEPLOYMENT_DRAINING_SECONDS"


def draining(environ: Mapping[str, str]) -> float | None:
    """Return the seconds between SIGTERM and SIGKILL, where the platform is known."""
    told = environ.get(RAILWAY_DRAINING, "")
    if told.isdecimal():
        return float(told)
    return next((seconds for name, seconds in DRAINING.items() if environ.get(name)), None)


class Trouble(NamedTuple):
    """What is wrong with a variable, and what to do; `fatal` says whether it cannot work at all."""

    problem: str
    advice: str
    fatal: bool = True


def judge(url: str, environ: Mapping[str, str]) -> Trouble | None:
    """Say what is wrong with an address where it is to be used, or None. Its syntax is checked elsewhere."""
    place = detect(environ)
    host = re.sub(r"^.*@", "", url.partition("://")[2]).partition("/")[0].rsplit(":", 1)[0].lower()
    if "${" in url:
        return Trouble(
            "is a reference that nobody resolved: it still contains ${",
            RAILWAY.advice
            if place is RAILWAY
            else "Files such as .env are read as they are: write the address "
            "itself, or take it from where it lives (`railway run -- COMMAND`, `redyard run -- COMMAND`).",
        )
    if host.endswith(PRIVATE) and place is not RAILWAY:
        return Trouble(
            f"names {host}, which exists only inside Railway while a service runs there",
            "From elsewhere use the public address (REDIS_PUBLIC_URL of the Redis service, once it is exposed), or a "
            "tunnel: `railway connect Redis --tunnel-only`.",
        )
    if host.endswith(PROXY) and place is RAILWAY:
        return Trouble(
            f"goes through the public proxy {host}: slower, billed as egress, and not encrypted",
            "Inside Railway use the private address: REDIS_URL=${{Redis.REDIS_URL}}.",
            fatal=False,
        )
    return None


def missing(environ: Mapping[str, str]) -> Trouble:
    """Say why an environment names no Redis, and how it would."""
    place, advice = detect(environ), ""
    if "REDIS_URL" in environ:
        problem = "REDIS_URL is set and empty"
        advice = "A reference to a variable that does not exist is empty. " if place is RAILWAY else ""
    else:
        problem = "neither REDIS_URL nor REDISHOST is set"
    if environ.get("REDIS_HOST"):
        problem += ", and REDIS_HOST (with an underscore) is not read"
        advice = "Write REDISHOST, REDISPORT, REDISUSER and REDISPASSWORD, or one REDIS_URL. "
    return Trouble(problem, advice + place.advice)


def explain_lookup(error: BaseException | None, where: str = "") -> str:
    """Return what a failed look-up of a name means in plain words; nothing for any other error.

    Args:
        where: what says the name, such as an address or a client's message.
    """
    if not isinstance(error, socket.gaierror):
        return ""
    elsewhere = "; under `railway run` on another machine it never exists" if PRIVATE in where else ""
    return LOOKUPS.get(error.errno or 0, "the name could not be looked up") + elsewhere

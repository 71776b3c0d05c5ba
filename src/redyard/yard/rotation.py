"""A new password for a user, while its apps run: both count until nobody uses the old one.

The engine does not tell by which password a connection came in. It numbers its connections, though: who has a higher
number than the newest one at the exchange came later, and was told the new password if it asked anybody. Whoever still
connects with the old one read it somewhere before; nothing shows that until it is refused.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from redis.exceptions import RedisError

from redyard.engine import access
from redyard.errors import EngineSilent, NotRunning, UnknownUser
from redyard.yard.admin import PATIENCE
from redyard.yard.credentials import Secret, new
from redyard.yard.phases import Phase
from redyard.yard.supervisor import Instance

ALIASES = {"app": access.APP.name, "admin": access.YARD.name}
"""What people call the engine's users."""

EVERYBODY = "all"
"""Stands for every user."""


class Holder(NamedTuple):
    """A client that came in with the old password: its name, its address, and the seconds since it came."""

    user: str
    name: str
    address: str
    age: int

    def __str__(self) -> str:
        return f"{self.name or 'a client without a name'} ({self.address}, for {self.age} s)"


def meant(instance: Instance, user: str) -> list[str]:
    """Return the users that a word means, or raise UnknownUser."""
    known = list(instance.secrets)
    if user == EVERYBODY:
        return known
    if (name := ALIASES.get(user, user)) not in known:
        raise UnknownUser(name=instance.name, user=user, known=", ".join([*ALIASES, *known, EVERYBODY]))
    return [name]


async def begin(instance: Instance, user: str) -> None:
    """Let a new password count beside the old one, and give it to who asks; go on where this was interrupted."""
    if instance.secrets[user].old:
        return
    if instance.phase is Phase.STOPPED:
        instance.keep({user: Secret(password=new(), since=time.time())})
        return
    if instance.phase is not Phase.RUNNING:
        raise NotRunning(name=instance.name, phase=instance.phase.value)
    try:
        instance.keep({user: instance.secrets[user].prepared()})
        await instance.let_in()
        last = max(int(row["id"]) for row in await instance.admin.clients())
        run_id = str((await instance.admin.redis.info("server"))["run_id"])
    except RedisError:
        raise silent(instance) from None
    instance.keep({user: instance.secrets[user].exchanged(since=time.time(), last=last, run_id=run_id)})
    if user == access.YARD.name:
        instance.log_in_anew()


async def holders(instance: Instance, user: str) -> list[Holder]:
    """Return who still uses the old password; nobody does after the engine was exchanged or restarted."""
    secret = instance.secrets[user]
    if not secret.old or instance.phase is Phase.STOPPED:
        return []
    try:
        seen = await instance.admin.clients()
        run_id = str((await instance.admin.redis.info("server"))["run_id"])
    except (RedisError, OSError):
        raise silent(instance) from None
    return judge(seen, user, secret) if run_id == secret.run_id else []


def judge(clients: list[dict[str, str]], user: str, secret: Secret) -> list[Holder]:
    """Return those of a list of clients that came as this user before its password was exchanged.

    One that has not said a word yet is listed as the first user, and is nobody.
    """
    old = [row for row in clients if row["user"] == user and int(row["id"]) <= secret.last and row["cmd"] != "NULL"]
    return [Holder(user, row["name"], row["addr"] or row["laddr"], int(row["age"])) for row in old]


async def finish(instance: Instance, user: str, *, cut: bool) -> int:
    """Let the old password count no more; close the user's connections, if they are to be, and return their number.

    Written first: should the engine not hear of it now, it does as soon as it answers.
    """
    instance.keep({user: instance.secrets[user].settled()})
    if instance.phase is Phase.STOPPED:
        return 0
    try:
        await instance.let_in()
        return await instance.admin.cut(user) if cut else 0
    except (RedisError, OSError):
        instance.doubt()
        raise silent(instance) from None


async def refused(instance: Instance, users: Mapping[str, float]) -> list[Holder]:
    """Return who was refused as one of these users since a moment: it has a password that does not count."""
    try:
        rows = await instance.admin.denials()
    except (RedisError, OSError):
        return []
    found = []
    for row in rows:
        user, ago = str(row["username"]), float(row["age-seconds"])
        if row["reason"] == "auth" and user in users and time.time() - ago >= users[user]:
            client = _fields(row["client-info"])
            found.append(Holder(user, client.get("name", ""), client.get("addr", ""), int(ago)))
    return found


def _fields(info: object) -> dict[str, str]:
    """Return a client's line as a mapping; redis-py has parsed it where it could."""
    if isinstance(info, Mapping):
        return {str(name): str(value) for name, value in info.items()}
    return dict(part.split("=", 1) for part in str(info).split() if "=" in part)


def silent(instance: Instance) -> EngineSilent:
    """Return the error of an engine that did not answer the yard."""
    return EngineSilent(name=instance.name, seconds=PATIENCE, path=str(instance.seat.log))

"""The yard with its calls about who is let in: passwords and their exchange, and users for apps."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from redis.exceptions import RedisError

from redyard import events
from redyard.engine import access
from redyard.engine.access import Grant
from redyard.errors import (
    AppTaken,
    BadApp,
    BadPrefix,
    EngineSilent,
    NotRunning,
    RedyardError,
    StillUsed,
    UnknownApp,
    UnknownTemplate,
)
from redyard.units import format_instant
from redyard.yard import exposed, rotation
from redyard.yard.credentials import HIDDEN, Secret, new
from redyard.yard.keeping import KeepingYard
from redyard.yard.phases import Phase
from redyard.yard.rotation import EVERYBODY, Holder
from redyard.yard.supervisor import Instance
from redyard.yard.yard import Result

LOOK = 0.2
"""Seconds between two looks at who still uses an old password."""

NAMED = 5
"""How many clients a message names."""

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
RESERVED = {user.name for user in access.TABLE} | set(rotation.ALIASES) | {EVERYBODY}

Pair = tuple[Instance, str]


class SecuredYard(KeepingYard):
    """A yard that also decides who is let in; each public coroutine is a call of the API."""

    async def credentials(self, name: str, user: str = EVERYBODY, show: bool = False) -> Result:
        """Return the users of instances, with their addresses; passwords only when they are asked for."""
        found = []
        for item in self._ours(name, "show passwords"):
            clients = await connected(item)
            names = rotation.meant(item, user)
            found.append({"name": item.name, "users": [_told(item, one, clients, show=show) for one in names]})
        return {"instances": found}

    async def rotate(self, name: str, user: str = "app", now: bool = False, wait: float = 600.0) -> Result:
        """Exchange passwords: the old ones end when nobody uses them, or at once.

        Args:
            name: an add-on or an instance.
            user: whose password.
            now: end the old ones at once, and close the connections of their users.
            wait: seconds to wait for those who use them.
        """
        began = time.monotonic()
        async with self._turn:
            pairs = [
                (item, one) for item in self._ours(name, "exchange passwords") for one in rotation.meant(item, user)
            ]
            for item, one in pairs:
                await self._begin(item, one)
            cut = {item.name: 0 for item, _ in pairs}
            for item, one in pairs if now else ():
                cut[item.name] += await self._finish(item, one, cut=True)
        if not now:
            await self._released(pairs, name, user, wait)
        rotated = [
            {
                "name": item.name,
                "users": (users := [one for other, one in pairs if other is item]),
                "closed": cut[item.name],
                "refused": [one._asdict() for one in await self._refused(item, users)],
            }
            for item in dict.fromkeys(item for item, _ in pairs)
        ]
        return {"rotated": rotated, "seconds": time.monotonic() - began}

    async def grant(self, name: str, app: str, template: str = "app", prefixes: Sequence[str] = ()) -> Result:
        """Give an app a user of its own on an add-on's instances; on any trouble nobody has it."""
        given = Grant(template=template, prefixes=[*prefixes], added_at=time.time())
        check(app, given)
        async with self._turn:
            chosen = self._ours(name, "give access")
            lacking = [item for item in chosen if app not in item.spec.apps]
            if not lacking or app in RESERVED:
                raise AppTaken(name=name, app=app)
            done: list[Instance] = []
            try:
                for item in lacking:
                    done.append(item)
                    await _add(item, app, given)
            except BaseException:
                for item in done:
                    with suppress(RedyardError, OSError):
                        await _drop(item, app)
                raise
        for item in lacking:
            events.emit(events.GRANTED, name=item.name, app=app, template=template)
        return {"app": app, "instances": [_access(item, app, 0) for item in chosen]}

    async def revoke(self, name: str, app: str) -> Result:
        """Take an app's user away and close its connections."""
        async with self._turn:
            chosen = [item for item in self._ours(name, "take access") if app in item.spec.apps]
            if not chosen:
                raise UnknownApp(name=name, app=app)
            before = [_access(item, app, _count(await connected(item), app)) for item in chosen]
            for item in chosen:
                await _drop(item, app)
        for item in chosen:
            events.emit(events.REVOKED, name=item.name, app=app)
        return {"name": name, "app": app, "instances": before}

    async def accesses(self, name: str) -> Result:
        """Return the apps that have users of their own."""
        found = []
        for item in self._ours(name, "list access"):
            clients = await connected(item)
            found += [_access(item, app, _count(clients, app)) for app in item.spec.apps]
        return {"access": found}

    async def exposure(self, name: str) -> Result:
        """Return what of instances lies open, for the doctor."""
        chosen = self._ours(name, "examine")
        try:
            seen = [await exposed.look(item, self.home) for item in chosen if item.phase is Phase.RUNNING]
        except (RedisError, OSError):
            seen = []
        return {"instances": msgspec.to_builtins(seen)}

    # ---- steps

    async def _begin(self, item: Instance, user: str) -> None:
        goes_on = bool(item.secrets[user].old)
        await rotation.begin(item, user)
        if user == access.REPLICATION.name:
            await self.backups.renew(item)
        if not goes_on:
            events.emit(events.ROTATING, name=item.name, user=user)

    async def _finish(self, item: Instance, user: str, *, cut: bool) -> int:
        """End an old password, unless another call has done it."""
        if not item.secrets[user].old and not cut:
            return 0
        closed = await rotation.finish(item, user, cut=cut)
        events.emit(events.ROTATED, name=item.name, user=user, closed=closed)
        return closed

    async def _released(self, pairs: Sequence[Pair], name: str, user: str, wait: float) -> None:
        """End each old password as soon as nobody uses it; raise StillUsed when that takes too long."""
        deadline = time.monotonic() + wait
        open_pairs = list(pairs)
        try:
            while True:
                using: list[Holder] = []
                for pair in list(open_pairs):
                    found = await self._look_at(*pair)
                    using += found or []
                    if found == []:
                        open_pairs.remove(pair)
                if not open_pairs:
                    return
                if time.monotonic() >= deadline:
                    known = [one._asdict() for one in using]
                    raise StillUsed(name=name, user=user, seconds=wait, clients=_named(using), connections=known)
                await asyncio.sleep(LOOK)
        finally:
            for item, _ in pairs:
                item.tell("")

    async def _look_at(self, item: Instance, user: str) -> list[Holder] | None:
        """Return who uses an old password, having ended it where nobody does; None while the engine does not say."""
        async with self._turn:
            if self.instances.get(item.name) is not item:
                return []
            with suppress(EngineSilent, NotRunning):
                found = await rotation.holders(item, user)
                item.tell(f"the old password of {user} is used by {_named(found)}" if found else "")
                if not found:
                    await self._finish(item, user, cut=False)
                return found
        return None

    async def _refused(self, item: Instance, users: Sequence[str]) -> list[Holder]:
        if item.phase is not Phase.RUNNING:
            return []
        return await rotation.refused(item, {user: item.secrets[user].since for user in users})


def check(app: str, given: Grant) -> None:
    """Raise what is wrong with an app's name, its template or its prefixes."""
    if not APP_NAME.fullmatch(app):
        raise BadApp(app=app)
    row = access.template(given.template)
    if row is None:
        raise UnknownTemplate(template=given.template, known=", ".join(row.name for row in access.TEMPLATES))
    for prefix in given.prefixes:
        if reason := _prefix_problem(prefix, bindable=bool(row.sign)):
            raise BadPrefix(prefix=prefix, reason=reason)


def _prefix_problem(prefix: str, *, bindable: bool) -> str:
    rules = (
        (not bindable, "this template has no keys"),
        (not prefix.endswith("*"), "it does not end with *, so that it is one key's name"),
        (prefix.startswith("*"), "it begins with *, which binds to nothing"),
        (
            not prefix.isprintable() or any(sign in prefix for sign in " \"'\\"),
            "it has a space, a quote or a backslash",
        ),
    )
    return next((reason for wrong, reason in rules if wrong), "")


async def _add(item: Instance, app: str, given: Grant) -> None:
    spec = msgspec.structs.replace(item.spec, apps={**item.spec.apps, app: given})
    item.keep({app: Secret(password=new())}, spec)
    if item.phase is not Phase.STOPPED:
        with _heard(item):
            await item.let_in()


async def _drop(item: Instance, app: str) -> None:
    """Take a user away: from the engine first, which may not answer."""
    if item.phase is not Phase.STOPPED:
        with _heard(item):
            await item.keep_out(app)
    apps = {name: given for name, given in item.spec.apps.items() if name != app}
    item.keep({app: None}, msgspec.structs.replace(item.spec, apps=apps))
    item.write_users()


@contextmanager
def _heard(item: Instance) -> Iterator[None]:
    """Raise EngineSilent where the engine did not hear."""
    try:
        yield
    except RedisError:
        raise rotation.silent(item) from None


async def connected(item: Instance) -> list[dict[str, str]]:
    """Return everybody who is connected; nobody where the engine does not answer."""
    if item.phase is not Phase.RUNNING:
        return []
    try:
        return await item.admin.clients()
    except (RedisError, OSError):
        return []


def _count(clients: Sequence[dict[str, str]], user: str) -> int:
    return sum(row["user"] == user and row["cmd"] != "NULL" for row in clients)


def _told(item: Instance, user: str, clients: Sequence[dict[str, str]], *, show: bool) -> Result:
    """Return what is told of a user."""
    secret = item.secrets[user]
    old = len(rotation.judge(list(clients), user, secret)) if secret.old else 0
    return {
        "user": user,
        "purpose": next(row.purpose for row in access.users(item.spec.apps) if row.name == user),
        "password": secret.password if show else HIDDEN,
        "url": item.url(show=show, user=user),
        "since": format_instant(secret.since or item.spec.created_at),
        "connections": _count(clients, user),
        "old_password": {"connections": old} if secret.old else None,
    }


def _access(item: Instance, app: str, connections: int) -> Result:
    given = item.spec.apps[app]
    return {
        "app": app,
        "name": item.name,
        "template": given.template,
        "prefixes": given.prefixes,
        "added_at": format_instant(given.added_at),
        "connections": connections,
    }


def _named(clients: Sequence[Holder]) -> str:
    more = f" and {len(clients) - NAMED} more" if len(clients) > NAMED else ""
    return ", ".join(map(str, clients[:NAMED])) + more or "nobody that the engine tells of now"

"""The ladder: from the name to the keys, a rung at a time, each with a deadline; what fails says where it is broken."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

from redis.crc import key_slot

from redyard.checks import Step
from redyard.client.secure import TABLE
from redyard.doctor import secure
from redyard.doctor.line import Line, Trouble
from redyard.doctor.target import Target
from redyard.reading import Reading, nodes, questions, text

WITHIN = 1.0
"""Seconds that a rung may take."""

TRIPS = 5
"""Pings of which the quickest is the round trip: the others met another's work."""

FATAL = frozenset(
    {"silent", "closed", "not-redis", "DENIED", "refused", "timeout", "unreachable", *(row.name for row in TABLE)}
)
"""Faults after which no further question makes sense."""

HELD_BACK = frozenset({"read", "write", "script"})
"""Rungs after whose silence the server is asked on a new line: only such commands may be held back."""

RESOLVER = {socket.EAI_NONAME: "nxdomain", socket.EAI_AGAIN: "servfail", socket.EAI_FAIL: "servfail"}
"""What the resolver's answers are called here; the rest is `nxdomain`: a name without addresses."""

PLACES = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
"""The other family's address of this machine, which is looked at when one refuses."""


class Ladder:
    """Climbs once. `steps` is what it met, `line` the connection, `reading` what the server told.

    Where there is an overseer, the server tells it the reading; all other rungs are the target's.
    """

    def __init__(self, target: Target, clock: Callable[[], float], overseer: Target | None = None) -> None:
        self.target = target
        self.overseer = overseer
        self.clock = clock
        self.steps: dict[str, Step] = {}
        self.line: Line | None = None
        self.reading: Reading | None = None
        self.addresses: list[str] = []
        self.address = ""
        self._key = f"temp:doctor:{os.getpid()}"

    async def climb(self) -> None:
        """Take the rungs in order until one breaks for good."""
        for name, rung in self._rungs():
            step = await self._take(name, rung, 2 * WITHIN if name in {"tls", "survey"} else WITHIN)
            if step.fault == "silent" and name in HELD_BACK:
                if not (await self._take("redial", self._redial)).ok:
                    break
                continue
            if step.fault in FATAL or (not step.ok and name in {"resolve", "connect", "tls", "authenticate"}):
                break
            if name == "greet" and step.fault == "ERR":
                break
        if self.steps.get("greet", Step(name="", ok=True)).fault == "silent":
            await self._take("again", self._again, 0.7)

    async def _redial(self) -> str:
        """Begin a new line where one command was not answered: the server may still tell why."""
        await self.close()
        self.line = await Line.dial(self.target, self.address, secure.again(self.target))
        if self.target.password:
            await self._authenticate()
        if self.target.database:
            await self._ask("SELECT", self.target.database)
        return ""

    async def close(self) -> None:
        """End the connection."""
        if self.line:
            await self.line.close()

    def _rungs(self) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
        dial = self._secure if self.target.tls else self._plain
        first = [("resolve", self._resolve), ("connect", self._connect), ("tls" if self.target.tls else "open", dial)]
        if self.target.path:
            first = [("connect", self._plain)]
        asks = [("greet", self._greet), ("authenticate", self._authenticate), ("ping", self._ping)]
        if self.target.database:
            asks.append(("select", lambda: self._ask("SELECT", self.target.database)))
        rest = [("role", self._role), ("read", self._read), ("write", self._write), ("script", self._script)]
        return [*first, *asks, *rest, ("survey", self._survey)]

    async def _take(self, name: str, rung: Callable[[], Awaitable[Any]], within: float = WITHIN) -> Step:
        start, facts = time.perf_counter(), {}
        try:
            async with asyncio.timeout(within):
                said = await rung()
            ok, fault = True, ""
            if isinstance(said, dict):
                facts, said = said, ""
        except Trouble as trouble:
            ok, fault, said, facts = False, trouble.fault, trouble.said, trouble.facts
        except TimeoutError:
            ok, fault, said = False, "silent", f"no answer within {within:g} s"
        except OSError as error:
            ok, fault, said = False, _network(error), error.strerror or type(error).__name__
        seconds = time.perf_counter() - start
        step = Step(name=name, ok=ok, seconds=seconds, said=text(said or "")[:200], fault=fault, facts=facts)
        self.steps[name] = step
        return step

    # ---- the rungs

    async def _resolve(self) -> str:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise Trouble(RESOLVER.get(error.errno or 0, "nxdomain"), error.strerror or str(error)) from None
        except UnicodeError:
            raise Trouble("nxdomain", "the name is malformed") from None
        self.addresses = list(dict.fromkeys(str(row[4][0]) for row in found))[:6]
        return ", ".join(self.addresses)

    async def _connect(self) -> dict[str, str]:
        tried = [*self.addresses]
        states = dict(zip(tried, await asyncio.gather(*map(self._try, tried)), strict=True))
        good = [address for address in tried if states[address] == "ok"]
        if good:
            self.address = good[0]
            return states
        faults = set(states.values())
        other = PLACES.get(tried[0], "")
        if other and other not in states:
            states[other] = await self._try(other)
        trouble = Trouble("refused" if "refused" in faults else min(faults), "no address answers")
        trouble.facts = states
        raise trouble

    async def _try(self, address: str) -> str:
        try:
            async with asyncio.timeout(WITHIN * 0.9):
                _, writer = await asyncio.open_connection(address, self.target.port)
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return _network(error)
        writer.transport.abort()
        return "ok"

    async def _plain(self) -> str:
        self.line = await Line.dial(self.target, self.address)
        return ""

    async def _secure(self) -> dict[str, str]:
        shake = secure.handshake if self.target.verifies else secure.unverified
        self.line, facts = await shake(self.target, self.address)
        return facts

    async def _greet(self) -> dict[str, str]:
        try:
            said = text(await self._ask("PING"))
        except Trouble as trouble:
            plain = trouble.fault in {"not-redis", "closed", "ERR"} and not self.target.tls and not self.target.path
            if plain and await secure.speaks(self.target, self.address):
                raise Trouble("tls", trouble.said) from None
            if trouble.fault == "closed" and self.target.tls:
                raise await secure.objection(self.target, self.address) or trouble from None
            if trouble.fault in FATAL or trouble.fault == "ERR":
                raise
            said = trouble.said
        return {"without_password": said}

    async def _authenticate(self) -> str:
        target = self.target
        if not target.password:
            said = self.steps["greet"].facts["without_password"]
            if said.startswith("NOAUTH"):
                raise Trouble("NOAUTH", said)
            return "no password needed"
        assert self.line is not None
        return await log_in(self.line, target)

    async def _ping(self) -> dict[str, str]:
        trips = []
        for _ in range(TRIPS):
            start = time.perf_counter()
            await self._ask("PING")
            trips.append(time.perf_counter() - start)
        return {"best_seconds": f"{min(trips):.6f}"}

    async def _role(self) -> str:
        return text((await self._ask("ROLE"))[0])

    async def _read(self) -> str:
        try:
            return text(await self._ask("GET", self._key) or "")
        except Trouble as trouble:
            if trouble.fault != "MOVED" or not (own := await self._own_slots()):
                raise
        names = (f"{self._key}:{number}" for number in count())
        self._key = next(name for name in names if any(key_slot(name.encode()) in slots for slots in own))
        return text(await self._ask("GET", self._key) or "")

    async def _own_slots(self) -> tuple[range, ...]:
        """Return the slots that this node of a cluster serves: a key of another's would show nothing of it."""
        found = nodes(await self._ask("CLUSTER", "NODES"))
        return next((node.ranges for node in found if "myself" in node.flags), ())

    async def _write(self) -> str:
        if self.steps["role"].said == "slave":
            return "not tried: it is a replica"
        said = text(await self._ask("SET", self._key, "1", "PX", 5000))
        await self._ask("DEL", self._key)  # it is not to be counted
        return said

    async def _script(self) -> str:
        return text(await self._ask("EVAL", "return 1", 0))

    async def _survey(self) -> str:
        assert self.line is not None
        async with AsyncExitStack() as stack:
            line = await self._overseen(stack) or self.line
            self.reading = await Reading.survey(line.ask, clock=self.clock)
        for name in ("info", *questions(self.reading.info)):
            said = self.reading.unasked.get(name, "")
            fault = said.partition(" ")[0] if said[:1].isupper() else "silent" if said else ""
            self.steps[name] = Step(name=name, ok=not said, said=said, fault=fault)
        return ""

    async def _overseen(self, stack: AsyncExitStack) -> Line | None:
        """Return a line of the overseer, where there is one and it is let in; it ends with the stack."""
        if self.overseer is None:
            return None
        try:
            line = await Line.dial(self.overseer, self.overseer.host)
            stack.push_async_callback(line.close)
            await log_in(line, self.overseer)
        except (Trouble, OSError):
            return None
        return line

    async def _again(self) -> str:
        line = await Line.dial(self.target, self.address)
        try:
            return text(await line.ask("PING"))
        finally:
            await line.close()

    async def _ask(self, *words: object) -> Any:
        assert self.line is not None
        return await self.line.ask(*words)


async def log_in(line: Line, target: Target) -> str:
    """Give a user's name and password, or raise Trouble."""
    return text(await line.ask("AUTH", *([target.user] if target.user else []), target.password))


def _network(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "refused"
    return "closed" if isinstance(error, ConnectionError) else "unreachable"

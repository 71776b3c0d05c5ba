"""The doctor: it climbs the ladder to a server, reads it, looks at some keys, and names what is wrong and what to do.

It speaks the raw protocol without retries: a client's greeting and second tries would hide what the server says. It is
done in five seconds, whatever the server does.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import redis.asyncio

from redyard import checks
from redyard.checks import Case, Facts, Finding, Severity, Step
from redyard.doctor import local
from redyard.doctor.ladder import Ladder
from redyard.doctor.line import Trouble
from redyard.doctor.memory import Deep, look_from
from redyard.doctor.sample import sample
from redyard.doctor.target import Target, from_client, from_url
from redyard.errors import FoundCritical, FoundWarnings, InvalidURL, RedisAway
from redyard.platform import has_private_network
from redyard.reading import QUESTIONS, Reading, rows

WITHIN = 4.5
"""Seconds for everything."""

WATCH = 0.5
"""Seconds between the two readings from which rates come."""

NEEDED = frozenset({"resolve", "connect", "tls", "greet", "authenticate", "ping", "select"})
"""Rungs without which no key can be looked at."""

LOCAL = frozenset({"127.0.0.1", "::1", "localhost", ""})


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the worst first; the rungs with their times; and what could not be looked at, and why."""

    target: str
    engine: str
    role: str
    seconds: float
    findings: list[Finding]
    steps: list[Step]
    unchecked: dict[str, str]
    case: Case

    @property
    def worst(self) -> Severity | None:
        """Return the severity of the worst finding."""
        return self.findings[0].severity if self.findings else None

    @property
    def status(self) -> int:
        """Return the exit status: 0 when nothing is at warning or worse."""
        statuses = {Severity.CRITICAL: FoundCritical.status, Severity.WARNING: FoundWarnings.status}
        return statuses.get(self.worst, 0) if self.worst else 0

    def to_json(self) -> dict[str, Any]:
        """Return the form that `--json` prints."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "case"}
        made: dict[str, Any] = msgspec.to_builtins({**shown, "worst": self.worst, "status": self.status})
        return made


async def examine(  # noqa: PLR0913 - the options of an examination
    what: redis.asyncio.Redis | str,
    *,
    facts: Facts = Facts(),  # noqa: B008 - frozen
    overseer: str = "",
    before: Reading | None = None,
    watch: float = WATCH,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
) -> Examination:
    """Examine the server of a client or an address.

    Args:
        what: a client of redis-py's asyncio, or an address.
        facts: what the server cannot say, such as its role and its backups.
        overseer: an address of the same server for a user who may look at settings and logs, where `what` may not.
        before: an earlier reading of the same server, for what changed since.
        watch: seconds between two readings when there is none before; 0 for one reading.
        environ: where this process runs: the platform, and the authority of TLS.
        clock: the wall clock.
    """
    start = time.perf_counter()
    facts = msgspec.structs.replace(facts, environment=facts.environment or _platform(environ))
    try:
        target = from_url(what, environ) if isinstance(what, str) else from_client(what)
    except InvalidURL as error:
        step = Step(name="address", ok=False, said=str(error), fault="address")
        return _sum_up(Case(steps={"address": step}, facts=facts), str(error.details["url"]), {}, start)
    ladder = Ladder(target, clock, from_url(overseer, environ) if overseer else None)
    unchecked: dict[str, str] = {}
    try:
        async with asyncio.timeout(WITHIN):
            case = await _look(ladder, facts, before, watch, unchecked)
    except TimeoutError:
        unchecked["the rest"] = f"it was not done within {WITHIN:g} s"
        case = _case(ladder, facts)
    finally:
        await ladder.close()
    return _sum_up(_without_secret(case, target.password), target.shown, unchecked, start)


async def look_at_memory(
    url: str,
    *,
    environ: Mapping[str, str] = os.environ,
    deep: Deep | None = None,
    told: Callable[[Deep], object] = lambda _: None,
    resting: float = 0.0,
    aside: bool = False,
) -> Deep:
    """Look at every key of an address's database, or raise RedisAway.

    Args:
        url: the server and its database.
        environ: where this process runs: the authority of TLS.
        deep: an unfinished look to go on with.
        told: hears of the progress after each page, in the look's thread.
        resting: seconds of rest after a page for each second of it.
        aside: of a server on this machine the look takes only what its processor has left over. Not for a process that
            has other work: all its threads would wait for one that has to wait.
    """
    target = from_url(url, environ)
    ladder = Ladder(target, time.time)
    try:
        await ladder.climb()
        broken = next((step for step in ladder.steps.values() if not step.ok and step.name in NEEDED), None)
        if ladder.line is None or broken:
            raise RedisAway(owner="the doctor", reason=broken.said if broken else "no connection")
        deep = deep or Deep()
        deep.database = target.database
        deep.used_memory = ladder.reading.used_memory if ladder.reading else 0
        await ladder.close()
        return await look_from(target, ladder.address, deep, told=told, resting=resting, aside=aside)
    except Trouble as trouble:
        raise RedisAway(owner="the doctor", reason=trouble.said) from None
    except TimeoutError:
        raise RedisAway(owner="the doctor", reason="it stopped answering") from None
    finally:
        await ladder.close()


async def _look(ladder: Ladder, facts: Facts, before: Reading | None, watch: float, unchecked: dict[str, str]) -> Case:
    await ladder.climb()
    reading, line = ladder.reading, ladder.line
    if reading is None or line is None or not reading.info:
        broken = next((step.name for step in ladder.steps.values() if not step.ok), "info")
        unchecked["the server's reading"] = f"{broken}: {ladder.steps[broken].said or ladder.steps[broken].fault}"
        return _case(ladder, facts)
    unchecked |= reading.unasked
    if ladder.target.host in LOCAL:
        facts = local.look(facts, reading.process_id)
    case = _case(ladder, facts)
    try:
        seen = await sample(line, frequencies="lfu" in (reading.policy or ""))
        if seen.why:
            unchecked["keys"] = seen.why
        case = msgspec.structs.replace(case, keys=seen.keys, queues=seen.queues, groups=seen.groups, before=before)
        if before is None and watch:
            await asyncio.sleep(max(0.0, watch - (ladder.clock() - reading.taken_at)))
            info = rows(await line.ask("INFO", "everything"))
            later = Reading.parse(info, taken_at=ladder.clock())
            case = msgspec.structs.replace(case, before=reading, reading=_joined(reading, later))
    except Exception as error:  # noqa: BLE001 - the line broke: what was read until then is judged
        unchecked["keys"] = str(error) or type(error).__name__
    return case


def _joined(survey: Reading, later: Reading) -> Reading:
    """Return the later reading with what only a survey asks; the clocks are compared at the survey's moment."""
    kept = {name: getattr(survey, name) for name in (*QUESTIONS, "unasked") if name != "server_time"}
    skew = (survey.server_time or survey.taken_at) - survey.taken_at
    return msgspec.structs.replace(later, **kept, server_time=later.taken_at + skew)


def _case(ladder: Ladder, facts: Facts) -> Case:
    target: Target = ladder.target
    return Case(
        host=target.host,
        port=target.port,
        path=target.path,
        database=target.database,
        user=target.user,
        tls=target.tls,
        verifies=target.verifies,
        has_password=bool(target.password),
        steps=ladder.steps,
        reading=ladder.reading or Reading.parse({}),
        facts=facts,
        now=ladder.clock(),
    )


def _without_secret(case: Case, secret: str) -> Case:
    if not secret:
        return case
    steps = {
        name: msgspec.structs.replace(step, said=step.said.replace(secret, "***")) for name, step in case.steps.items()
    }
    return msgspec.structs.replace(case, steps=steps)


def _sum_up(case: Case, shown: str, unchecked: dict[str, str], start: float) -> Examination:
    return Examination(
        target=shown,
        engine=f"{case.reading.engine} {case.reading.version}" if case.seen else "",
        role=case.role,
        seconds=round(time.perf_counter() - start, 3),
        findings=checks.judge(case),
        steps=list(case.steps.values()),
        unchecked=unchecked,
        case=case,
    )


def _platform(environ: Mapping[str, str]) -> str:
    if not has_private_network(environ):
        return ""
    return "railway" if any(name.startswith("RAILWAY_") for name in environ) else "render"

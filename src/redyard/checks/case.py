"""What checks judge: the steps of an examination, one or two readings, a sample of keys, and what the yard knows.

Plain values only: a check neither asks nor waits.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from redyard.reading import Rates, Reading


class Severity(StrEnum):
    """How much a finding matters; from `WARNING` on it is to be acted on."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Proof(StrEnum):
    """What a finding rests on."""

    PROOF = "proof"
    STATE = "state"
    TREND = "trend"
    HINT = "hint"


MEANINGS = {
    Proof.PROOF: "the server or the system says it",
    Proof.STATE: "settings and state contradict each other",
    Proof.TREND: "two readings, or counters since the start, show it",
    Proof.HINT: "likely, not certain: never more than `info`",
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A rung of the ladder: whether it held, the seconds it took, what was said, and the fault in one word.

    `fault` is the first word of the server's error (`OOM`, `NOAUTH`), or one of ours in lower case (`refused`).
    """

    name: str
    ok: bool
    seconds: float = 0.0
    said: str = ""
    fault: str = ""
    facts: dict[str, str] = {}


class Key(NamedTuple):
    """A key of the sample: its name, type, bytes, and seconds to live (-1: without end)."""

    name: str
    type: str
    size: int
    ttl: float
    frequency: int | None = None

    @property
    def prefix(self) -> str:
        """Return what the name begins with, up to its first `:`."""
        return self.name.partition(":")[0]


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """A queue on BullMQ's keys: jobs by state, how many active ones have a lock, and whether it is paused."""

    name: str
    waiting: int = 0
    active: int = 0
    locked: int = 0
    finished: int = 0
    paused: bool = False
    lost: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's group of consumers: entries unread and unacknowledged, and the oldest of these.

    `acked` is None where the engine does not say it. The oldest was delivered so often, the last time `idle` s ago.
    """

    stream: str
    name: str
    consumers: int = 0
    unread: int = 0
    pending: int = 0
    acked: int | None = None
    consumer: str = ""
    idle: float = 0.0
    deliveries: int = 0


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What lies open of an instance of a yard: paths with modes, files that git keeps, a Dockerfile, addresses, users.

    `listening` are addresses beside the wanted one, `excess` commands that the app's user may and should not.
    """

    name: str = ""
    directory: str = ""
    open_paths: dict[str, str] = {}
    tracked: list[str] = []
    build_context: str = ""
    bind: str = ""
    listening: list[str] = []
    without_password: list[str] = []
    strangers: list[str] = []
    excess: list[str] = []


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server cannot say: what it is for, what its container may use, its log, its backups. None: not known."""

    role: str | None = None
    memory_limit: int | None = None
    log: str = ""
    phase: str = ""
    app_error: str = ""
    environment: str = ""
    backup_at: float | None = None
    backup_verified_at: float | None = None
    backup_every: float | None = None
    backup_size: int | None = None
    backup_off_machine: bool | None = None
    backup_lag: float | None = None
    backup_gap_at: float | None = None
    backup_trouble: str = ""
    volume_size: int | None = None
    overcommit: str = ""
    huge_pages: str = ""
    swapped: int = 0
    exposure: Exposure | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One examination."""

    host: str = ""
    port: int = 0
    path: str = ""
    database: int = 0
    user: str = ""
    tls: bool = False
    verifies: bool = True
    has_password: bool = False
    steps: dict[str, Step] = {}
    reading: Reading = msgspec.field(default_factory=lambda: Reading.parse({}))
    before: Reading | None = None
    keys: list[Key] = []
    queues: list[Backlog] = []
    groups: list[Group] = []
    facts: Facts = Facts()
    now: float = 0.0

    def step(self, name: str) -> Step:
        """Return a rung; one that was not tried is one that held."""
        return self.steps.get(name) or Step(name=name, ok=True)

    def fault(self, *names: str) -> str:
        """Return the fault of the first of these rungs that has one."""
        return next((self.step(name).fault for name in names if self.step(name).fault), "")

    @property
    def seen(self) -> bool:
        """Say whether the server let itself be read."""
        return bool(self.reading.info)

    @property
    def rates(self) -> Rates:
        """Return what happened since the reading before, or nothing."""
        return Rates(self.before or self.reading, self.reading)

    @property
    def role(self) -> str:
        """Return what the server is for: what the yard says, else what its policy and its keys say."""
        if self.facts.role:
            return self.facts.role
        if self.durable:
            return "store"
        return "cache" if (self.reading.policy or "").startswith("allkeys") else ""

    @property
    def durable(self) -> list[str]:
        """Return the prefixes of the sample that stand for what must not be lost: queues and sessions."""
        found = {key.prefix for key in self.keys if key.prefix in {"bull", "sess", "session", "sessions"}}
        return sorted(found | ({"bull"} if self.queues else set()))


class Found(msgspec.Struct, frozen=True):
    """What a check saw: evidence as field and value, the cause, the remedy as a command, and another severity."""

    evidence: Mapping[str, object]
    cause: str
    remedy: str
    severity: Severity | None = None


class Judge(Protocol):
    """A check's question to a case: None when all is well."""

    def __call__(self, case: Case, /) -> Found | None:
        """Answer it."""


class Check(NamedTuple):
    """A row of the table: the problem's number, its name, how much it matters, what proves it, and the question."""

    number: str
    name: str
    severity: Severity
    proof: Proof
    title: str
    judge: Judge


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A check's answer, as it is printed."""

    check: str
    number: str
    severity: Severity
    proof: Proof
    title: str
    evidence: Mapping[str, object]
    cause: str
    remedy: str

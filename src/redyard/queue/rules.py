"""A job's options: as our users write them, as BullMQ stores them, and what they say. Pure."""

import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec

from redyard import keys
from redyard.client.coding import decode
from redyard.errors import BadKey, InvalidValue

MAX_PRIORITY = 2_097_151
STACKS = 10
"""How many stack traces a job keeps."""

RESERVED = {key.pattern.split(":")[2] for key in keys.TABLE if key.owner == "queue"} | {"stalled-check"}
"""Names of a queue's own keys: a job of such a name would overwrite one."""


class Backoff(msgspec.Struct, frozen=True):
    """The pause before another attempt.

    Attributes:
        kind: `exponential` doubles the delay with each attempt, `fixed` does not; another name is a worker's own rule.
        delay: seconds.
        jitter: the part of the delay, 0 to 1, that is random.
    """

    kind: str = "exponential"
    delay: float = 1.0
    jitter: float = 0.0


class Keep(msgspec.Struct, frozen=True):
    """Which finished jobs are kept: the newest `count`, and none older than `age` seconds; None for no such limit."""

    count: int | None = None
    age: float | None = None


class Deduplication(msgspec.Struct, frozen=True):
    """When an added job is dropped because a like one is there; both have the `id`.

    Simple (the id alone): as long as the first one has not finished. Throttle: for `ttl` seconds. Debounce (`replace`,
    `extend`, a `ttl` and a delay): the newest replaces the one that still waits for its time, and starts it anew.
    """

    id: str
    ttl: float | None = None
    extend: bool = False
    replace: bool = False
    keep_last_if_active: bool = False


class JobOptions(TypedDict, total=False):
    """What may be said of a job when it is added.

    delay: seconds before it may run. priority: 0 for none (first of all), else 1 before 2 and so on. lifo: it goes to
    the front. attempts, backoff (seconds of the first pause, then twice as long, or a Backoff): how it is tried again.
    deadline: seconds that one attempt may take. job_id: a name of your own, which makes adding twice harmless.
    deduplication: drop it when a like one is there. remove_on_complete, remove_on_fail: how many finished jobs are
    kept, or a Keep; True keeps none, False all. keep_logs: lines of its log. on_failure: what a child's failure means
    to its parent: `fail` it, `continue` with it at once, `ignore` this child, or `remove` it from the parent's.
    """

    delay: float
    priority: int
    lifo: bool
    attempts: int
    backoff: "float | Backoff"
    deadline: float
    job_id: str
    deduplication: "str | Deduplication"
    remove_on_complete: "int | bool | Keep"
    remove_on_fail: "int | bool | Keep"
    keep_logs: int
    on_failure: Literal["fail", "continue", "ignore", "remove"]


ON_FAILURE = {"fail": "fpof", "continue": "cpof", "ignore": "idof", "remove": "rdof"}


def _backoff(value: "float | Backoff") -> dict[str, object] | None:
    rule = value if isinstance(value, Backoff) else Backoff(delay=value)
    if not (0 <= rule.delay < 1e10 and 0 <= rule.jitter <= 1):
        raise InvalidValue(value=value, kind="backoff", example="2.0 (seconds), or Backoff('fixed', 5, jitter=0.5)")
    if not rule.delay and rule.kind in PAUSES:
        return None
    stored: dict[str, object] = {"type": rule.kind, "delay": _milliseconds(rule.delay)}
    return stored | {"jitter": rule.jitter} if rule.jitter else stored


def _keep(value: "int | bool | Keep") -> object:
    if not isinstance(value, Keep):
        return value
    return {name: number for name, number in (("count", value.count), ("age", value.age)) if number is not None}


def _deduplication(value: "str | Deduplication") -> dict[str, object]:
    rule = value if isinstance(value, Deduplication) else Deduplication(value)
    keys.check("deduplication id", rule.id, free=True)
    stored: dict[str, object] = {"id": rule.id}
    if rule.ttl:
        stored["ttl"] = _milliseconds(rule.ttl)
    flags = {"extend": rule.extend, "replace": rule.replace, "keepLastIfActive": rule.keep_last_if_active}
    return stored | {name: True for name, flag in flags.items() if flag}


def _delay(value: float) -> int | None:
    if not 0 <= value < 1e10:
        raise InvalidValue(value=value, kind="delay", example="10 (seconds)")
    return _milliseconds(value) or None


def _priority(value: int) -> int | None:
    if not 0 <= value <= MAX_PRIORITY or value != int(value):
        raise InvalidValue(value=value, kind="priority", example=f"1 (of 0 to {MAX_PRIORITY})")
    return value or None


def _attempts(value: int) -> int:
    if value < 1:
        raise InvalidValue(value=value, kind="number of attempts", example="3")
    return value


def _deadline(value: float) -> int:
    if not 0 < value < 1e10:
        raise InvalidValue(value=value, kind="deadline", example="60 (seconds)")
    return _milliseconds(value)


def _job_id(value: str) -> str:
    keys.check("id", value)
    if value.isdecimal():
        raise BadKey(part=value, name="id", reason="numbers are the queue's own")
    if value in RESERVED:
        raise BadKey(part=value, name="id", reason="the queue has a key of that name")
    return value


OPTIONS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "delay": ("delay", _delay),
    "priority": ("priority", _priority),
    "lifo": ("lifo", lambda value: value or None),
    "attempts": ("attempts", _attempts),
    "backoff": ("backoff", _backoff),
    "deadline": ("deadline", _deadline),
    "job_id": ("jobId", _job_id),
    "deduplication": ("de", _deduplication),
    "remove_on_complete": ("removeOnComplete", _keep),
    "remove_on_fail": ("removeOnFail", _keep),
    "keep_logs": ("kl", int),
}
"""Our options, BullMQ's names for them, and how their values are checked and written."""


def stored(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as BullMQ stores them, or raise InvalidValue, BadKey, or TypeError for an unknown one."""
    made: dict[str, Any] = {}
    for name, value in options.items():
        if name == "on_failure":
            made[ON_FAILURE[value]] = True
            continue
        if name not in OPTIONS:
            raise TypeError(f"a job has no option {name!r}; it has {', '.join(JobOptions.__annotations__)}")
        theirs, write = OPTIONS[name]
        made[theirs] = write(value)
    return made


class Rules(NamedTuple):
    """What a worker needs of a job's stored options."""

    options: dict[str, Any]
    attempts: int
    deadline: float | None
    completed: bytes
    failed: bytes
    keep: int | None
    """How many completed jobs are kept, -1 for all; None where the rule is not that simple."""


UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What a job raises that somebody else wrote, and not as BullMQ does."""


@lru_cache(1024)
def rules_of(text: bytes) -> Rules:
    """Read a job's stored options, or raise one of UNREADABLE; most jobs of a queue have the same."""
    options = decode(text)
    if not isinstance(options, dict) or not isfinite(pause_before(options, 1)):
        raise ValueError("its options are none")
    deadline = options.get("deadline")
    attempts = int(options.get("attempts") or 0)
    keep = kept(options.get("removeOnComplete"))
    return Rules(
        options,
        attempts,
        deadline / 1000 if deadline else None,
        _finishing(options, attempts, "removeOnComplete"),
        _finishing(options, attempts, "removeOnFail"),
        None if keep.keys() != {"count"} else int(keep["count"]),
    )


def _finishing(options: Mapping[str, Any], attempts: int, keep: str) -> bytes:
    """Pack what `moveToFinished` must know of a job's options: the entries of a map without its head."""
    entries = {
        "keepJobs": kept(options.get(keep)),
        "attempts": attempts,
        **{name: bool(options.get(name)) for name in ON_FAILURE.values()},
    }
    return msgspec.msgpack.encode(entries)[1:]


FINISHING = 6
"""The number of these entries."""


def kept(rule: object) -> dict[str, Any]:
    """Return which finished jobs are kept, as the scripts want it: a count (-1 for all), an age, a limit."""
    if isinstance(rule, Mapping):
        return dict(rule)
    if isinstance(rule, bool) or not isinstance(rule, (int, float)):
        return {"count": 0 if rule else -1}
    return {"count": int(rule)}


PAUSES: dict[str, Callable[[float, int], float]] = {
    "fixed": lambda delay, _: delay,
    "exponential": lambda delay, made: delay * 2.0 ** min(made - 1, 40),
}
"""BullMQ's kinds of backoff: seconds by the delay and the number of failed attempts."""


def pause_before(options: Mapping[str, Any], attempts_made: int, own: Callable[[int], float] | None = None) -> float:
    """Return the seconds to wait after so many failed attempts; `own` is the worker's rule for kinds of its own."""
    backoff = options.get("backoff") or 0
    if not isinstance(backoff, Mapping):
        return float(backoff) / 1000
    rule = PAUSES.get(str(backoff.get("type")))
    if rule is None:
        return max(0.0, own(attempts_made)) if own else 0.0
    longest = rule(float(backoff.get("delay") or 0) / 1000, attempts_made)
    jitter = float(backoff.get("jitter") or 0)
    return longest * (1 - jitter * random.random())  # noqa: S311 - no secret


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

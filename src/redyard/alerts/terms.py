"""The words in which rules are written: figures and conditions on them, each both a function and its PromQL.

`increase("redis_evicted_keys_total", "5m") > 0` is judged here and is written into the file for Prometheus: the two
cannot differ. What is not known (a server without that field, too short a time) makes a
condition neither true nor false.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass

from redyard.alerts.window import Pick, Window
from redyard.units import parse_span

INSTANCE = ("instance",)
QUEUE = ("instance", "queue")


@dataclass(frozen=True)
class Condition:
    """Something that holds or not, or is not known; `value` is the figure that is shown."""

    promql: str
    holds: Callable[[Window], bool | None]
    value: Callable[[Window], float | None]
    picks: frozenset[Pick]
    by: tuple[str, ...] = INSTANCE

    def __and__(self, other: "Condition") -> "Condition":
        """Return that both hold."""

        def holds(window: Window) -> bool | None:
            found = (self.holds(window), other.holds(window))
            return False if False in found else None if None in found else True

        promql = f"({self.promql}) and on ({', '.join(self.by)}) ({other.promql})"
        return Condition(promql, holds, self.value, self.picks | other.picks, self.by)


@dataclass(frozen=True)
class Term:
    """A figure of an instance (or of a queue on it), by the words `by`."""

    promql: str
    read: Callable[[Window], float | None]
    picks: frozenset[Pick]
    by: tuple[str, ...] = INSTANCE

    def __add__(self, other: "Term | float") -> "Term":
        """Return the sum."""
        return self._join("+", operator.add, other)

    def __sub__(self, other: "Term | float") -> "Term":
        """Return the difference."""
        return self._join("-", operator.sub, other)

    def __mul__(self, other: "Term | float") -> "Term":
        """Return the product."""
        return self._join("*", operator.mul, other)

    def __truediv__(self, other: "Term | float") -> "Term":
        """Return the ratio; nothing by zero is not known."""
        return self._join("/", lambda left, right: left / right if right else None, other)

    def __gt__(self, other: "Term | float") -> Condition:
        """Return that it is greater."""
        return self._compare(">", operator.gt, other)

    def __lt__(self, other: "Term | float") -> Condition:
        """Return that it is less."""
        return self._compare("<", operator.lt, other)

    def equals(self, number: float) -> Condition:
        """Return that it is this number."""
        return self._compare("==", operator.eq, number)

    def _join(self, sign: str, reckon: Callable[..., float | None], other: "Term | float") -> "Term":
        right = _term(other)

        def read(window: Window) -> float | None:
            a, b = self.read(window), right.read(window)
            return None if a is None or b is None else reckon(a, b)

        return Term(f"({self._promql(sign, other, right)})", read, self.picks | right.picks, self.by)

    def _compare(self, sign: str, judge: Callable[..., bool], other: "Term | float") -> Condition:
        right = _term(other)

        def holds(window: Window) -> bool | None:
            a, b = self.read(window), right.read(window)
            return None if a is None or b is None else judge(a, b)

        return Condition(self._promql(sign, other, right), holds, self.read, self.picks | right.picks, self.by)

    def _promql(self, sign: str, other: "Term | float", right: "Term") -> str:
        on = f" on ({', '.join(self.by)})" if isinstance(other, Term) else ""
        return f"{self.promql} {sign}{on} {right.promql}"


def now(name: str, *, by: tuple[str, ...] = INSTANCE, **labels: str) -> Term:
    """Return a metric as it is; with labels (`err="OOM|READONLY"`) the sum of what fits."""
    pick = _pick(name, labels)
    return Term(_sum(_selector(pick), by), lambda window: window.latest(pick), frozenset({pick}), by)


def past(name: str, ago: str) -> Term:
    """Return a metric as it was."""
    pick, seconds = Pick(name), parse_span(ago)
    return Term(_sum(f"{name} offset {ago}", INSTANCE), lambda window: window.before(pick, seconds), frozenset({pick}))


def increase(name: str, over: str, *, by: tuple[str, ...] = INSTANCE, **labels: str) -> Term:
    """Return by how much a counter grew within a time."""
    pick, seconds = _pick(name, labels), parse_span(over)
    promql = _sum(f"increase({_selector(pick)}[{over}])", by)
    return Term(promql, lambda window: window.increase(pick, seconds), frozenset({pick}), by)


def rate(name: str, over: str, *, by: tuple[str, ...] = INSTANCE, **labels: str) -> Term:
    """Return the growth of a counter a second."""
    pick, seconds = _pick(name, labels), parse_span(over)
    promql = _sum(f"rate({_selector(pick)}[{over}])", by)
    return Term(promql, lambda window: window.rate(pick, seconds), frozenset({pick}), by)


def predict(name: str, over: str, ahead: str) -> Term:
    """Return what a metric will be if it goes on like this."""
    pick, seconds, far = Pick(name), parse_span(over), parse_span(ahead)
    promql = _sum(f"predict_linear({name}[{over}], {far:g})", INSTANCE)
    return Term(promql, lambda window: window.predict(pick, seconds, far), frozenset({pick}))


def _term(other: "Term | float") -> Term:
    if isinstance(other, Term):
        return other
    number = float(other)
    return Term(f"{number:g}" if number < 1e6 else str(int(number)), lambda _: number, frozenset())


def _pick(name: str, labels: dict[str, str]) -> Pick:
    return Pick(name, tuple((label, tuple(values.split("|"))) for label, values in labels.items()))


def _selector(pick: Pick) -> str:
    inner = ",".join(f'{label}=~"{"|".join(values)}"' for label, values in pick.labels)
    return pick.name + (f"{{{inner}}}" if inner else "")


def _sum(promql: str, by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) ({promql})"

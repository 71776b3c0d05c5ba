"""Replay the recorded readings: what a state does goes on as it did, ten seconds at a time, and rules judge it.

Counters grow on as between the two looks; all else is as at the second one (with `trend`, it grows on too).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from redyard.alerts.rules import Rule
from redyard.alerts.state import Alert, advance
from redyard.alerts.window import Pick, Window
from redyard.metrics import KIT, TABLE, Sample, samples

PLACE = Path(__file__).parent / "readings.json"
RECORDED = json.loads(PLACE.read_text())
ENGINES = ("valkey", "redis7")
METRICS = {row.name: row for row in (*TABLE, *KIT)}
STEP = 10.0
GB = 1 << 30

HEALTHY: dict[str, float] = {
    "redyard_instance_running": 1,
    "redyard_instance_failed": 0,
    "redyard_instance_crashes": 0,
    'redyard_probe_success{probe="write"}': 1,
    "redyard_machine_memory_bytes": 8 * GB,
    "redyard_disk_free_bytes": 50 * GB,
    "redyard_disk_size_bytes": 100 * GB,
    "redyard_certificate_expires_seconds": 80 * 86400,
    "redyard_backup_age_seconds": 30,
    "redyard_backup_goal_seconds": 600,
    "redyard_backup_following": 1,
    "redyard_backup_gaps_total": 0,
    "redyard_backup_waiting_bytes": 100_000,
    "redyard_backup_proof_age_seconds": 86400,
    "redyard_engine_end_of_life": 0,
    'redyard_queue_jobs{queue="mail",state="waiting"}': 3,
    'redyard_queue_jobs{queue="mail",state="active"}': 1,
    'redyard_queue_workers{queue="mail"}': 2,
    'redyard_queue_oldest_waiting_seconds{queue="mail"}': 2,
    'redyard_queue_paused{queue="mail"}': 0,
    'redyard_queue_jobs_ended_total{queue="mail",state="completed"}': 100,
    'redyard_queue_jobs_ended_total{queue="mail",state="failed"}': 0,
}
"""What the yard, the backups and the queues say of an instance that is well."""


class Case(NamedTuple):
    """A state, and what is different from it.

    Args:
        fields: fields of INFO at the second look, where no engine here can be brought to say so.
        facts: what the yard, the backups or the queues say; what grows, grows by that much in ten seconds.
        seconds: between the looks, in place of the recorded ones.
    """

    state: str = "quiet"
    engines: tuple[str, ...] = ENGINES
    fields: Mapping[str, str] = {}
    facts: Mapping[str, float] = {}
    seconds: float | None = None
    trend: bool = False
    away: bool = False


def role(case: Case) -> str:
    """Return the role of a case's instance."""
    return RECORDED["states"][case.state]["valkey"]["role"]


def firing(rules: Iterable[Rule], case: Case, engine: str, *, within: float = 1200.0) -> set[str]:
    """Return which of the rules fire within some seconds of a case."""
    rules = list(rules)
    alerts: dict[str, Alert | None] = {}
    window, fired = Window(), set[str]()
    picks = frozenset[Pick]().union(*(rule.picks for rule in rules))
    longest = max(within, *(rule.lasts + 20 for rule in rules))
    for at, found in moments(case, engine, int(longest / STEP), {pick.name for pick in picks}):
        window.add(at, found, picks)
        for rule in rules:
            alert = advance(rule, "it", alerts.get(rule.name), rule.condition.holds(window), at)
            alerts[rule.name] = alert
            if alert and alert.stage == "firing":
                fired.add(rule.name)
        if len(fired) == len(rules):
            break
    return fired


def moments(case: Case, engine: str, count: int, names: set[str]) -> Iterator[tuple[float, dict[str, list[Sample]]]]:
    """Yield the time and the samples of the metrics with these names, moment by moment."""
    record = RECORDED["states"][case.state][engine]
    first, second = record["first"], record["first"] | record["changed"] | case.fields
    pairs = [pair for pair in _pairs(first, second) if pair[1].metric.name in names]
    seconds = case.seconds or record["seconds"]
    facts = [_sample(name, value) for name, value in (HEALTHY | dict(case.facts)).items()]
    for turn in range(count):
        found: dict[str, list[Sample]] = {}
        server = [Sample(METRICS["redis_up"], {}, 0)] if case.away else _grown(pairs, turn * STEP / seconds, case.trend)
        for sample in (*server, *_grown([(fact, fact) for fact in facts], turn, False, first=True)):
            found.setdefault(sample.metric.name, []).append(sample)
        yield turn * STEP, found


def _pairs(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[tuple[Sample, Sample]]:
    old = {(sample.metric.name, *sorted(sample.labels.items())): sample for sample in samples(first)}
    for sample in samples(second):
        yield old.get((sample.metric.name, *sorted(sample.labels.items())), sample._replace(value=0.0)), sample


def _grown(pairs: list[tuple[Sample, Sample]], share: float, trend: bool, *, first: bool = False) -> Iterator[Sample]:
    for old, new in pairs:
        if new.metric.kind == "counter":
            yield new._replace(value=new.value * share if first else old.value + (new.value - old.value) * share)
        elif trend:
            yield new._replace(value=old.value + (new.value - old.value) * share)
        else:
            yield new


def _sample(text: str, value: float) -> Sample:
    name, _, labels = text.partition("{")
    pairs = (part.partition("=") for part in labels.rstrip("}").split(",") if part)
    return Sample(METRICS[name], {label: word.strip('"') for label, _, word in pairs}, value)

"""Where figures come from: small readers of INFO, each of which says for the reference page what it reads."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

Info = Mapping[str, str]
"""The fields of INFO as they came."""

Labels = Mapping[str, str]
Found = Iterable[tuple[Labels, float]]
Kind = Literal["gauge", "counter", "histogram"]


class Source(NamedTuple):
    """A reader of INFO, and its name for the reference page."""

    says: str
    read: Callable[[Info], Found]


class Metric(NamedTuple):
    """A row of the table: name, kind, meaning, and where it comes from."""

    name: str
    kind: Kind
    help: str
    source: Source


class Sample(NamedTuple):
    """A figure of a metric; of a histogram, the counts of its buckets and the sum under `suffix`."""

    metric: Metric
    labels: Labels
    value: float
    suffix: str = ""


NO_LABELS: Labels = {}


def number(text: str | None) -> float | None:
    """Return the number that a field holds ("12", "1.5", "3.20%"), or None."""
    try:
        return float(text.removesuffix("%")) if text else None
    except ValueError:
        return None


def field(*names: str, scale: float = 1.0) -> Source:
    """Read a number; of several names the first that the server has."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        for name in names:
            value = number(info.get(name))
            if value is not None:
                yield NO_LABELS, value * scale
                return

    return Source(" or ".join(names), read)


def word(name: str, good: str) -> Source:
    """Read 1 where a field has the good value, else 0."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        if name in info:
            yield NO_LABELS, float(info[name] == good)

    return Source(f"{name} is {good}", read)


def words(names: Mapping[str, str]) -> Source:
    """Read 1, with fields as labels."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        yield {label: info.get(name, "") for label, name in names.items()}, 1.0

    return Source(", ".join(names.values()), read)


def rows(prefix: str, label: str, part: str, *, scale: float = 1.0) -> Source:
    """Read one part of each field that begins so, such as the calls of each `cmdstat_get:calls=3,usec=8`."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        for name, text in info.items():
            if name.startswith(prefix):
                value = number(split(text).get(part))
                if value is not None:
                    yield {label: name[len(prefix) :]}, value * scale

    return Source(f"{prefix}*: {part}", read)


def quantiles(prefix: str, label: str) -> Source:
    """Read the percentiles of each field that begins so."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        for name, text in info.items():
            if name.startswith(prefix):
                for part, value in split(text).items():
                    yield {label: name[len(prefix) :], "quantile": f"{float(part[1:]) / 100:g}"}, float(value)

    return Source(f"{prefix}*", read)


def databases(part: str, *, scale: float = 1.0) -> Source:
    """Read one part of each database's row."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        for name, text in info.items():
            if name.startswith("db") and name[2:].isdecimal():
                yield {"db": name}, float(split(text).get(part, 0)) * scale

    return Source(f"db*: {part}", read)


def replicas(part: str) -> Source:
    """Read one part of each replica's row."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        for name, text in info.items():
            if name.startswith("slave") and name[5:].isdecimal():
                row = split(text)
                labels = {"slave_ip": row.get("ip", ""), "slave_port": row.get("port", "")}
                yield labels | {"slave_state": row.get("state", "")}, float(row.get(part, 0))

    return Source(f"slave*: {part}", read)


def upstream(source: Source) -> Source:
    """Read with the primary's address as labels; nothing on a primary."""

    def read(info: Info) -> Iterator[tuple[Labels, float]]:
        if info.get("role") == "slave":
            labels = {"master_host": info.get("master_host", ""), "master_port": info.get("master_port", "")}
            yield from ((labels, value) for _, value in source.read(info))

    return Source(source.says, read)


def split(text: str) -> dict[str, str]:
    """Return the parts of a field such as `calls=3,usec=8`."""
    return {name: value for name, found, value in (part.partition("=") for part in text.split(",")) if found}

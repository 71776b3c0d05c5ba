"""Sizes, time spans and moments: how people write them, and how they are printed."""

import re
from datetime import UTC, datetime

from redyard.errors import InvalidValue

SIZES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}
"""Units of memory, in bytes. Powers of 1024, as the engines read "256mb"."""

SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""Units of time, in seconds."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?b)?", re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|[smhdw])")


def parse_size(text: str) -> int:
    """Return the bytes that a text such as "256mb", "1.5gb" or "1024" means."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidValue(value=text, kind="size", example='"256mb" or "1gb"')
    return int(float(match[1]) * SIZES[(match[2] or "b").lower()])


def format_size(size: int) -> str:
    """Return bytes for reading: 268435456 is "256mb", 1500 is "1.5kb"."""
    for unit in reversed(SIZES):
        if size >= SIZES[unit]:
            return f"{size / SIZES[unit]:.1f}".removesuffix(".0") + unit
    return f"{size}b"


def parse_span(text: str) -> float:
    """Return the seconds that a text such as "15m", "1h30m" or "250ms" means."""
    parts = _SPAN.findall(text.strip())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise InvalidValue(value=text, kind="time span", example='"15m", "1h30m" or "250ms"')
    return sum(float(number) * SPANS[unit] for number, unit in parts)


def format_span(seconds: float) -> str:
    """Return seconds for reading, by the two largest units: 5400 is "1h30m", 0.25 is "250ms"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    rest, parts = int(seconds), []
    for unit in ("w", "d", "h", "m", "s"):
        count, rest = divmod(rest, int(SPANS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def parse_instant(text: str) -> float:
    """Return the Unix time, in seconds, of an ISO 8601 moment with its zone ("2026-11-23T02:15:00Z")."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidValue(value=text, kind="moment", example='"2026-11-23T02:15:00Z"')
    return moment.timestamp()


def format_instant(timestamp: float) -> str:
    """Return a Unix time, in seconds, as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

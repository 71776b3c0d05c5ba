"""How values are written: JSON, and nothing else. No pickle found in Redis is ever run."""

from typing import Any

import msgspec

from redyard.errors import NotJSON

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


def encode(value: object, what: str) -> bytes:
    """Return a value as JSON, or raise NotJSON that names `what` it is."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotJSON(what=what, reason=str(error)[:200]) from None


def decode(text: bytes) -> Any:
    """Return the value of a JSON text, or raise a ValueError."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None

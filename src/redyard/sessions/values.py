"""What of a value would not come back as it was: found at the write, where the one who wrote it can be told."""

from math import isfinite

EXACT = 2**53
"""From here on, JavaScript's numbers are not exact."""


def lost(value: object, *, exact: float = float("inf")) -> str:
    """Return what of a value JSON cannot say, or what is a number beyond `exact`; "" where all is well."""
    if isinstance(value, bool | str | None):
        return ""
    if isinstance(value, int):
        return f"a number beyond {exact:.0f}" if abs(value) > exact else ""
    if isinstance(value, float):
        return "" if isfinite(value) else "NaN or infinity"
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
    return next(filter(None, (lost(part, exact=exact) for part in parts)), "")

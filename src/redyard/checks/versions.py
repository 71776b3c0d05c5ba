"""Versions with known holes and versions without further fixes, by dated tables of upstream's.

A distribution mends and keeps the number: of its engines a hole is a hint, and an end is said without an alarm.
"""

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.units import format_instant

AS_OF = "2025-10"
"""When the table was written: what came later is not known here."""

HOLE = "CVE-2025-49844 (a Lua script can run code on the server's machine)"

FIXED: dict[str, dict[tuple[int, int], int]] = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
"""By engine and series, the first release that is mended. An older series that is absent gets no mending upstream."""


ENDS: dict[str, dict[tuple[int, int], str]] = {
    "redis": {(5, 0): "2022-04-27", (6, 0): "2022-05-31", (7, 0): "2024-07-29", (8, 0): "2026-02-11"},
    "valkey": {(7, 2): "2029-04-16", (8, 0): "2027-09-15", (8, 1): "2030-03-31", (9, 0): "2028-10-21"},
}
"""By engine and series, the day after which upstream gives no security fixes; as of 2026-02. Others have no end yet."""

OF_DISTRIBUTIONS = ("/usr/bin/", "/usr/sbin/")
"""Where distributions put their engines; images and those who build put them elsewhere."""


def end_of_life(case: Case) -> Found | None:
    """Look whether upstream still mends this series."""
    engine, version = case.reading.engine, case.reading.version
    parts = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if engine not in ENDS or len(parts) < 2:
        return None
    series, ends = (parts[0], parts[1]), ENDS[engine]
    day = ends.get(series, "") or (ends[min(ends)] if series < min(ends) else "")
    if not day or format_instant(case.now)[:10] <= day:
        return None
    program = case.reading.info.get("executable", "")
    severity = Severity.INFO if not program or program.startswith(OF_DISTRIBUTIONS) else Severity.WARNING
    evidence = {"version": f"{engine} {version}", "ended": day, "executable": program}
    return Found(evidence, f"upstream's {version} gets no security fixes any more", "redyard upgrade", severity)


def known_hole(case: Case) -> Found | None:
    """Look whether upstream has mended this version."""
    engine, version = case.reading.engine, case.reading.version
    parts = [int(part) if part.isdecimal() else 0 for part in version.split(".")[:3]]
    if engine not in FIXED or len(parts) < 3:
        return None
    series, fixes = (parts[0], parts[1]), FIXED[engine]
    if series > max(fixes) or parts[2] >= fixes.get(series, 1_000_000):
        return None
    evidence = {"version": f"{engine} {version}", "mended in": _mended(series, fixes), "table of": AS_OF}
    remedy = f"redyard upgrade  # or: apt-get install --only-upgrade {engine}-server"
    return Found(evidence, f"upstream's {version} has {HOLE}; a distribution may have mended it", remedy)


def _mended(series: tuple[int, int], fixes: dict[tuple[int, int], int]) -> str:
    found = series if series in fixes else min(other for other in fixes if other > series)
    return f"{found[0]}.{found[1]}.{fixes[found]}"


TABLE = (
    Check("-", "end-of-life", Severity.WARNING, Proof.STATE, "The version gets no fixes any more", end_of_life),
    Check("-", "known-hole", Severity.INFO, Proof.HINT, "The version has a known hole", known_hole),
)

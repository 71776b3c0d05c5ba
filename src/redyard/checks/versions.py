"""Versions with known holes, by a dated table of upstream's fixes: a hint, distributions mend and keep the number."""

from redyard.checks.case import Case, Check, Found, Proof, Severity

AS_OF = "2025-10"
"""When the table was written: what came later is not known here."""

HOLE = "CVE-2025-49844 (a Lua script can run code on the server's machine)"

FIXED: dict[str, dict[tuple[int, int], int]] = {
    "redis": {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2},
    "valkey": {(7, 2): 11, (8, 0): 6, (8, 1): 4},
}
"""By engine and series, the first release that is mended. An older series that is absent gets no mending upstream."""


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


TABLE = (Check("-", "known-hole", Severity.INFO, Proof.HINT, "The version has a known hole", known_hole),)

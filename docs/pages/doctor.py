"""The page of checks: each with the problem's number, what it rests on, and how much it matters."""

from pages.markdown import code, page, prose, table
from redyard import checks

ALL = 71
"""The problems of the catalogue, P01 to P71."""

UNPROVED = ("P51",)
"""Those with a check that no test reproduces on a real engine; the tests hold this against their own texts."""


ALONE = {
    "P01": "the name server is asked, no engine",
    "P04": "packets are dropped before an engine",
    "P06": "what listens is no engine",
    **dict.fromkeys(("P12", "P13", "P14", "P15", "P16"), "the embedded Valkey has no TLS"),
    "P26": "Redis 7 counts none",
    "P37": "the embedded Valkey allocates by libc",
}
"""Those that tests do not reproduce on Valkey and on Redis 7, and why."""


def check_page() -> str:
    """Draw the checks by area."""
    covered = {row.number for row in checks.TABLE if row.number != "-"}
    missing = [f"P{number:02}" for number in range(1, ALL + 1) if f"P{number:02}" not in covered]
    without = f" Without a check: {', '.join(missing)}." if missing else ""
    proved = len(covered) - len(UNPROVED)
    alone = ", ".join(f"{number} ({why})" for number, why in ALONE.items())
    intro = prose(f"""What `redyard doctor` looks for: {len(checks.TABLE)} checks for {len(covered)} of the {ALL}
        problems of the catalogue.{without} Tests reproduce {proved} of them on real engines; not yet reproduced:
        {", ".join(UNPROVED)}. On Valkey 9 and on Redis 7 both: {proved - len(ALONE)}; the others are {alone}. A
        finding may be milder than the table says; a hint never alarms. P27 is counted by Valkey alone, and P33 depends
        on the machine.""")
    proofs = table("a finding rests on | meaning", [(str(proof), text) for proof, text in checks.MEANINGS.items()])
    parts = [part for area, rows in checks.AREAS.items() for part in (f"## {area}", _rows(rows))]
    return page("Checks", "src/redyard/checks", intro, proofs, *parts)


def _rows(rows: tuple[checks.Check, ...]) -> str:
    return table(
        "problem | check | what it finds | at most | rests on",
        [(row.number, code(row.name), row.title, str(row.severity), str(row.proof)) for row in rows],
    )

"""Checks: one table of questions to a server's reading, and the judging of a case by all of them."""

from redyard.checks import (
    access,
    connections,
    latency,
    meaning,
    memory,
    persistence,
    reach,
    replication,
    rest,
    streams,
    versions,
)
from redyard.checks.case import (
    MEANINGS,
    Backlog,
    Case,
    Check,
    Exposure,
    Facts,
    Finding,
    Found,
    Group,
    Key,
    Proof,
    Severity,
    Step,
)

AREAS = {
    "Reaching it": reach.TABLE,
    "Being let in": access.TABLE,
    "At rest": rest.TABLE,
    "Connections and buffers": connections.TABLE,
    "Memory": memory.TABLE,
    "Latency": latency.TABLE,
    "Persistence and backups": persistence.TABLE,
    "Replication and cluster": replication.TABLE,
    "Meaning": meaning.TABLE,
    "Streams and channels": streams.TABLE,
    "Versions": versions.TABLE,
}

TABLE: tuple[Check, ...] = tuple(row for area in AREAS.values() for row in area)

__all__ = [
    "AREAS",
    "MEANINGS",
    "TABLE",
    "Backlog",
    "Case",
    "Check",
    "Exposure",
    "Facts",
    "Finding",
    "Found",
    "Group",
    "Key",
    "Proof",
    "Severity",
    "Step",
    "judge",
]


def judge(case: Case) -> list[Finding]:
    """Ask all checks and return their findings, the worst first."""
    answers = [(row, row.judge(case)) for row in TABLE]
    findings = [_finding(row, found) for row, found in answers if found]
    order = list(Severity)
    return sorted(findings, key=lambda finding: (order.index(finding.severity), list(Proof).index(finding.proof)))


def _finding(row: Check, found: Found) -> Finding:
    severity = Severity.INFO if row.proof is Proof.HINT else found.severity or row.severity
    return Finding(
        check=row.name,
        number=row.number,
        severity=severity,
        proof=row.proof,
        title=row.title,
        evidence=found.evidence,
        cause=found.cause,
        remedy=found.remedy,
    )

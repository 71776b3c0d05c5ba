"""What backups hold, for those who look: windows, gaps, sizes; and what differs between two moments."""

import socket
from typing import Any

from redyard.backups import canonical
from redyard.backups.proof import last_proof
from redyard.backups.restore import facts_of, gaps, windows
from redyard.backups.scratch import serving
from redyard.backups.storage import Storage
from redyard.backups.timeline import LOGICAL, Recipe, Timeline
from redyard.engine.find import Engine
from redyard.errors import NoBackups
from redyard.units import format_instant

SHOWN = 1000
"""Keys of each kind that a difference names; the rest is counted."""


def listing(storage: Storage, address: str) -> dict[str, object]:
    """Return the windows of moments that can be restored, the gaps between them, the bases and the sizes."""
    timeline = Timeline(storage.names())
    if not timeline.bases:
        raise NoBackups(name=address, reason="there is no base yet")
    only = all(base.kind == LOGICAL for base in timeline.bases)
    spans, proved = windows(storage, timeline), last_proof(storage)
    facts = [(base, facts_of(storage, base.name)) for base in timeline.bases]
    return {
        "storage": address,
        "windows": [{"first": format_instant(span.first), "last": format_instant(span.last)} for span in spans],
        "gaps": [
            {"after": format_instant(first), "before": format_instant(last)}
            for first, last in ([] if only else gaps(spans))
        ],
        "only_snapshots": only,
        "bases": [
            {
                "at": format_instant(base.at),
                "size": one.size,
                "engine": f"{one.engine} {one.version}",
                "name": base.name,
                "kind": base.kind,
                "keys": one.keys if base.kind == LOGICAL else None,
                "read_from": format_instant(one.begun) if base.kind == LOGICAL else None,
            }
            for base, one in facts
        ],
        "segments": len(timeline.segments),
        "stream": sum(segment.end - segment.start for segment in timeline.segments),
        "proved_at": format_instant(proved) if proved else None,
    }


def difference(
    engine: Engine, storage: Storage, recipes: list[Recipe], pattern: str | None = None
) -> dict[str, object]:
    """Return which keys came, went and changed between two moments."""
    first, second = (_digests(engine, storage, recipe, pattern) for recipe in recipes)
    came = sorted(second.keys() - first.keys())
    went = sorted(first.keys() - second.keys())
    changed = sorted(key for key in first.keys() & second.keys() if first[key] != second[key])
    named = {"came": came, "went": went, "changed": changed}
    return {
        "from": format_instant(recipes[0].at),
        "to": format_instant(recipes[1].at),
        "counts": {what: len(keys) for what, keys in named.items()},
        **{
            what: [f"{db}:{key.decode(errors='backslashreplace')}" for db, key in keys[:SHOWN]]
            for what, keys in named.items()
        },
    }


def _digests(engine: Engine, storage: Storage, recipe: Recipe, pattern: str | None) -> dict[tuple[int, bytes], int]:
    with serving(engine, storage, recipe, imports=True) as made:
        client: Any = made.client
        return {(entry.db, entry.key): entry.digest for entry in canonical.entries(client, pattern)}


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A moment as one file: the engine's own dump (.rdb), or lines of JSON (.jsonl) that every engine and program reads."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec

from redyard.backups import canonical
from redyard.backups.canonical import Entry
from redyard.backups.copying import check_empty, send, writes
from redyard.backups.scratch import serving
from redyard.backups.storage import Storage
from redyard.backups.timeline import Recipe
from redyard.engine.find import Engine
from redyard.errors import InvalidValue

DUMP, LINES = ".rdb", ".jsonl"


def export(engine: Engine, storage: Storage, recipe: Recipe, target: Path) -> int:
    """Write a moment to a file, by its name's ending; return how many keys it has. The file is whole or not there."""
    if target.suffix not in {DUMP, LINES}:
        raise InvalidValue(value=str(target), kind="file to export to", example='"redis.rdb" or "redis.jsonl"')
    part = target.with_name(f".{target.name}.part")
    try:
        with serving(engine, storage, recipe, imports=True) as made:
            count = _dump(made.client, part) if target.suffix == DUMP else _lines(made.client, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return count


def load(source: TextIO, target: Any, name: str) -> int:
    """Write the keys of lines of JSON into an empty server; return how many."""
    check_empty(target, name)
    count, db = 0, None
    for entry in _read(source):
        if entry.db != db:
            db = entry.db
            target.execute_command("SELECT", db)
        send(target, writes(entry))
        count += 1
    return count


def _dump(client: Any, part: Path) -> int:
    client.execute_command("SAVE")
    names = client.execute_command("CONFIG", "GET", "dir", "dbfilename")
    found = {names[at].decode(): names[at + 1].decode() for at in range(0, len(names), 2)}
    shutil.copyfile(Path(found["dir"], found["dbfilename"]), part)
    return sum(
        client.execute_command("SELECT", db) and client.execute_command("DBSIZE") for db in canonical.databases(client)
    )


def _lines(client: Any, part: Path) -> int:
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for entry in canonical.entries(client):
            value = {"db": entry.db, "key": _plain(entry.key), "type": entry.kind.decode(), "ends": entry.ends}
            file.write(json.dumps(value | {"value": _plain(entry.parts)}) + "\n")
            count += 1
    return count


def _read(source: TextIO) -> Iterator[Entry]:
    for line in source:
        try:
            found = _LINE.decode(line)
            yield Entry(found.db, _raw(found.key), found.type.encode(), _raw(found.value), found.ends)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise InvalidValue(value=line[:80].rstrip(), kind="line of an export", example=EXAMPLE) from None


def _plain(value: Any) -> Any:
    """Return bytes as text where they are text, else as {"base64": ...}."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


class _Line(msgspec.Struct):
    db: int
    key: str | dict[str, str]
    type: str
    value: list[Any]
    ends: int


_LINE = msgspec.json.Decoder(_Line)
EXAMPLE = '{"db": 0, "key": "a", "type": "string", "value": ["b"], "ends": -1}'


def _raw(value: Any) -> Any:
    if isinstance(value, list):
        return [_raw(item) for item in value]
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return value.encode() if isinstance(value, str) else value

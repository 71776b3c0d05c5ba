"""Proofs: whole backups pass, and whatever was done to an object of them is found and named."""

import time
from pathlib import Path

import pytest

from redyard.backups import proving
from redyard.backups.proof import last_proof
from redyard.backups.sample import take_sample
from redyard.backups.spool import HISTORY_DIGITS
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.engine.find import Engine
from redyard.errors import NotProved
from tests.backups.conftest import caught_up, following
from tests.support.servers import PASSWORDS, Server


def silent(_text: str) -> None:
    """Tell nobody."""


async def kept(server: Server, root: Path) -> Directory:
    """Return the backups of a server: two bases, and three segments."""
    async with following(server, root) as follower:
        for number in range(3):
            server.admin("SET", f"key:{number}", "x" * 1000)
            await caught_up(server, follower)
            if number == 0:
                await follower.base()
            await follower.drain(10)
    return Directory(root / "storage")


async def test_whole_backups_are_proved(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """The newest state agrees with the server's sample, the newest base with the stream before it; it is noted."""
    storage = await kept(own_server, tmp_path)
    sample = take_sample(own_server.seat.socket, PASSWORDS["yard"])
    last = Timeline(storage.names()).segments[-1]
    ours = type(sample)(sample.history[:HISTORY_DIGITS], last.end, sample.lasting, sample.digests)
    assert [] == proving.faults(storage, silent)
    proof = proving.prove(engine, storage, ours, at=proving.any_moment(storage, 0.5), tell=silent)

    assert ({0: 3}, 2) == (proof.keys, len(proof.compared))
    assert proof.at == last_proof(storage)
    other = type(sample)(ours.history, ours.offset, {0: 4}, {})
    with pytest.raises(NotProved, match="it has the keys"):
        proving.prove(engine, storage, other, at=time.time(), tell=silent)


async def test_every_damage_is_named(own_server: Server, tmp_path: Path) -> None:
    """Changed, cut, missing, exchanged and foreign objects are each told by name."""
    storage = await kept(own_server, tmp_path)
    first, second, third = Timeline(storage.names()).segments
    paths = [storage.root / item.name for item in (first, second, third)]
    whole = [path.read_bytes() for path in paths]

    def told() -> dict[str, str]:
        return {fault.name: fault.reason for fault in proving.faults(storage, silent)}

    for damaged in (whole[1][:-3], whole[1][:20] + b"?" + whole[1][21:], whole[2], b""):
        paths[1].write_bytes(damaged)
        assert [second.name] == list(told())
    paths[1].unlink()
    assert ("it is missing", {second.name, third.name}) == (told()[second.name], set(told()))  # and a gap before third
    (storage.root / f"{second.name}.json").unlink()
    assert [third.name] == list(told())
    (storage.root / "notes.txt").write_text("mine")
    assert "it is none of ours" == told()["notes.txt"]

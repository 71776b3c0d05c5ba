"""The guide's shell lines restore a backup with zstd and the engine alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from redyard.backups.compaction import merge
from redyard.backups.scratch import scratch
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.engine.find import Engine
from tests.backups.conftest import caught_up, following
from tests.support.servers import Server

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "restoring-by-hand.md"
ZSTD = f"""#!{sys.executable}
import sys, zstandard
zstandard.ZstdDecompressor().copy_stream(sys.stdin.buffer, sys.stdout.buffer)
"""


async def test_the_guide_s_lines_restore(own_server: Server, engine: Engine, tmp_path: Path) -> None:
    """With the names of a real backup put in, the lines make files that the engine loads, merged parts among them."""
    storage = Directory(tmp_path / "storage")
    async with following(own_server, tmp_path) as follower:
        for number in range(4):
            own_server.admin("INCR", "counted")
            await caught_up(own_server, follower)
            await follower.drain(10)
            if number == 2:
                merge(storage, tuple(Timeline(storage.names()).segments), tmp_path)
    base = Timeline(storage.names()).bases[0]
    lines = re.search(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[1]
    lines = re.sub(r"base/[0-9]\S+zst", base.name, lines)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "zstd"
    if not shutil.which("zstd"):
        program.write_text(ZSTD)
        program.chmod(0o700)
    environ = os.environ | {"STORAGE": str(tmp_path / "storage"), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    wanted = lines.rpartition("cd ..")[0]  # all but the last line, which starts the engine
    subprocess.run(["bash", "-ec", wanted], cwd=tmp_path, env=environ, check=True)

    with scratch(engine, lambda data: shutil.copytree(tmp_path / "data", data, dirs_exist_ok=True)) as made:
        assert b"4" == made.client.execute_command("GET", "counted")

"""What a name server answers reaches the reader in plain words; a name with an IPv6 address alone works."""

import os
import sys
from pathlib import Path

import pytest

from redyard.engine.find import find
from tests.support.name_server import run

PROGRAM = r"""
async def main():
    from redyard import Redis
    said = {}
    for name in ("gone", "broken", "newer"):
        environ = {"REDIS_URL": f"redis://{name}.railway.internal:6379", "RAILWAY_PROJECT_ID": "1"}
        redis = Redis.from_env(environ=environ, socket_timeout=1)
        redis._lane.resolve_within = 0
        try:
            said[name] = str(await redis.ping())
        except Exception as error:
            said[name] = str(error)
        await redis.aclose()
    print(json.dumps(said))


engine = subprocess.Popen(
    [sys.argv[2], "--bind", "::1", "--port", "6379", "--save", "", "--dir", sys.argv[3]], stdout=subprocess.DEVNULL
)
try:
    while socket.socket(socket.AF_INET6).connect_ex(("::1", 6379)):
        assert engine.poll() is None
    asyncio.run(main())
finally:
    engine.kill()
    engine.wait()
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a network of its own")
def test_answers_of_a_name_server(tmp_path: Path) -> None:
    """NXDOMAIN, SERVFAIL, and a name that has an AAAA record alone, as older environments of Railway give."""
    said = run(PROGRAM, tmp_path, find().path, tmp_path)

    assert "no such name (NXDOMAIN)" in said["gone"]
    assert "fails (SERVFAIL)" in said["broken"]
    assert "True" == said["newer"]

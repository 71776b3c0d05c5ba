"""What a name server answers reaches the reader in plain words; a name with an IPv6 address alone works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from redyard.engine.find import find

PROGRAM = r"""
import asyncio, json, socket, struct, subprocess, sys, threading

subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
NOERROR, SERVFAIL, NXDOMAIN, AAAA = 0, 2, 3, 28


def serve():
    while True:
        asked, client = server.recvfrom(512)
        end = asked.index(b"\0", 12) + 5
        name, kind = asked[13:13 + asked[12]].decode(), struct.unpack(">H", asked[end - 4:end - 2])[0]
        status = {"gone": NXDOMAIN, "broken": SERVFAIL}.get(name, NOERROR)
        answer = b""
        if status == NOERROR and kind == AAAA:
            answer = struct.pack(">HHHIH", 0xC00C, AAAA, 1, 1, 16) + socket.inet_pton(socket.AF_INET6, "::1")
        flags = 0x8180 | status
        server.sendto(asked[:2] + struct.pack(">HHHHH", flags, 1, bool(answer), 0, 0) + asked[12:end] + answer, client)


threading.Thread(target=serve, daemon=True).start()


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
    settings = tmp_path / "resolv.conf"
    settings.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    words = ["unshare", "--net", "--mount", sys.executable, "-c", PROGRAM, settings, find().path, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("may not make a network here")
    assert 0 == done.returncode, done.stderr
    said = json.loads(done.stdout)

    assert "no such name (NXDOMAIN)" in said["gone"]
    assert "fails (SERVFAIL)" in said["broken"]
    assert "True" == said["newer"]

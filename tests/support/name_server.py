"""A network of its own with a name server that fails on purpose: for what the system's resolver says of names."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVER = r"""
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
        if name == "silent":
            continue
        if status == NOERROR and kind == AAAA:
            answer = struct.pack(">HHHIH", 0xC00C, AAAA, 1, 1, 16) + socket.inet_pton(socket.AF_INET6, "::1")
        flags = 0x8180 | status
        server.sendto(asked[:2] + struct.pack(">HHHHH", flags, 1, bool(answer), 0, 0) + asked[12:end] + answer, client)


threading.Thread(target=serve, daemon=True).start()
"""
"""`gone` is NXDOMAIN, `broken` SERVFAIL, `silent` gets no answer; any other name has this machine's IPv6 address."""


def run(program: str, directory: Path, *words: object) -> Any:
    """Run a program where the name server is the only one, as root of Linux; return the JSON that it prints.

    Its arguments begin at `sys.argv[2]`.
    """
    settings = directory / "resolv.conf"
    settings.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    command = ["unshare", "--net", "--mount", sys.executable, "-c", SERVER + program, settings, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("may not make a network here")
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)

"""Tell systemd how the yard is: sd_notify's protocol, one datagram to the socket that NOTIFY_SOCKET names."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"


def notify(environ: Mapping[str, str], state: str, status: str = "") -> None:
    """Tell the supervisor a state, with a line for people; do nothing where none listens."""
    name = environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    address = os.fsencode(name)
    if name.startswith("@"):  # an abstract socket of Linux
        address = b"\0" + address[1:]
    said = "\n".join([state, f"STATUS={status}"] if status else [state])
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(said.encode(), address)

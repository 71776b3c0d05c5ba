"""Who speaks to the yard: the system knows the process at the other end of a Unix socket."""

import pwd
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

import psutil

CREDENTIALS = struct.Struct("3i")
"""What Linux tells of a peer: its process, its user, its group."""


class Peer(NamedTuple):
    """A user and a process; None where the system does not tell."""

    uid: int | None
    pid: int | None

    @property
    def user(self) -> str:
        """Return the user's name, where it has one."""
        with suppress(KeyError):
            return pwd.getpwuid(self.uid).pw_name if self.uid is not None else ""
        return ""

    @property
    def command(self) -> list[str]:
        """Return the words with which the process was started; none of one that has ended."""
        with suppress(psutil.Error):
            return psutil.Process(self.pid).cmdline() if self.pid else []
        return []

    def told(self) -> dict[str, object]:
        """Return who it is, for the trail."""
        return {"uid": self.uid, "user": self.user, "pid": self.pid, "command": " ".join(self.command)}


NOBODY = Peer(None, None)


def peer_of(door: socket.socket) -> Peer:
    """Return who is at the other end of a Unix socket."""
    if not hasattr(socket, "SO_PEERCRED"):  # macOS has another way, which Python does not have
        return NOBODY
    pid, uid, _ = CREDENTIALS.unpack(door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return Peer(uid, pid)

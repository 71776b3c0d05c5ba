"""What the edge goes by: the yard's files, looked at for each new client (three calls of the system).

The rename of `spec.json` that commits a move, and the rename of a certificate that was made anew, are all it needs.
"""

import json
import os
import ssl
import time
from pathlib import Path
from typing import Any, NamedTuple

MOVING_FOR = 3.0
"""Seconds after which a move that was begun is taken for one that was cut short."""


class Place(NamedTuple):
    """Where the files are: the instance's directory, the directory of sockets, the authorities' certificates."""

    instance: Path
    runtime: Path
    authorities: Path

    @property
    def certificate(self) -> Path:
        """The server's certificate with its key."""
        return self.instance / "tls" / "server.pem"


class Terms:
    """The instance's spec and the terms of a handshake, as they are now."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._spec_mark: tuple[int, ...] = ()
        self._paper_marks: tuple[tuple[int, ...], ...] = ()
        self.spec: dict[str, Any] = {}
        self.context: ssl.SSLContext
        self.refresh()

    def refresh(self) -> str:
        """Look whether anything changed; say what, or why it could not be used, in which case what was goes on."""
        news = ""
        mark = _mark(self._place.instance / "spec.json")
        if mark != self._spec_mark:
            self.spec = json.loads((self._place.instance / "spec.json").read_bytes())
            self._spec_mark = mark
        asks = bool(self.spec.get("tls_clients"))
        marks = (_mark(self._place.certificate), _mark(self._place.authorities), (asks,))
        if marks != self._paper_marks:
            try:
                self.context = self._make_context()
                news = "new terms of handshakes: a certificate, an authority, or whether clients show one"
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                if not self._paper_marks:
                    raise
                news = f"the new certificate cannot be used: {error}"
            self._paper_marks = marks
        return news

    @property
    def limit(self) -> int:
        """Return how many clients may be connected."""
        return int(self.spec["connections"])

    @property
    def upstream(self) -> str:
        """Return the socket of the engine that is the true one now."""
        return str(self._place.runtime / f"{self.spec['name']}.{self.spec['generation']}.sock")

    @property
    def is_moving(self) -> bool:
        """Say whether engines are being exchanged at this moment: a new client better waits for the next one."""
        try:
            staged = (self._place.instance / "spec.json.next").stat()
        except FileNotFoundError:
            return False
        return abs(time.time() - staged.st_mtime) < MOVING_FOR

    def _make_context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_RENEGOTIATION  # work that a client could ask for without end
        made.load_cert_chain(self._place.certificate)
        if self.spec.get("tls_clients"):
            made.load_verify_locations(self._place.authorities)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


def _mark(path: Path) -> tuple[int, ...]:
    state = os.stat(path)  # noqa: PTH116 - a third of the time, for each client
    return (state.st_ino, state.st_mtime_ns, state.st_size)

"""The yard's own authority on the disk, and what it signs: which file there is, and when a new one is due.

An authority is followed by the next one long before it ends. For OVERLAP both are in the bundle that apps trust while
the old one still signs; only then the new one does. There is no state but the files.
"""

import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from redyard.engine.files import write_private
from redyard.errors import CertificateBroken
from redyard.yard import certificates
from redyard.yard.certificates import DAY, Signed

OVERLAP = 30 * DAY
"""Seconds for which a new authority is known before it signs: apps that copied the bundle have so long to copy it."""


_ONE_AT_A_TIME = threading.RLock()
"""Instances are equipped in threads, and all by the same authority."""


class Papers(NamedTuple):
    """The files of an instance with TLS: its certificate with the key, the authorities, and what an app shows."""

    server: Path
    authorities: Path
    client: Path


class Authority:
    """Signs for the instances of a yard. Its directory is the owner's alone."""

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self.clock = clock

    @property
    def bundle(self) -> Path:
        """The certificates that apps trust, without keys."""
        return self.directory / "ca.pem"

    def papers(self, directory: Path) -> Papers:
        """Return where the files of an instance are."""
        return Papers(directory / "tls" / "server.pem", self.bundle, directory / "tls" / "client.pem")

    def all(self) -> list[Signed]:
        """Return the authorities, the oldest first."""
        paths = sorted(self.directory.glob("authority-*.pem"), key=lambda path: int(path.stem.partition("-")[2]))
        return [load(path) for path in paths]

    def maintain(self, *, renew: bool = False) -> bool:
        """Make what is due: the first authority, or the next one; write the bundle. Say whether the bundle changed."""
        with _ONE_AT_A_TIME:
            return self._maintain(renew=renew)

    def _maintain(self, *, renew: bool) -> bool:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        known, now = self.all(), self.clock()
        if not known or known[-1].is_due(now) or renew:
            number = len(known) + 1  # none is ever removed
            known.append(certificates.make_authority(f"Redyard authority {number}", now=now))
            write_private(self.directory / f"authority-{number}.pem", known[-1].pem)
        text = "".join(item.public for item in known if item.ends > now)
        if self.bundle.exists() and self.bundle.read_text() == text:
            return False
        write_private(self.bundle, text)
        return True

    @property
    def signer(self) -> Signed:
        """Return the authority that signs now: the newest that apps had time to learn of."""
        now = self.clock()
        known = [item for item in self.all() if item.ends > now]
        old = [item for item in known if item.begins + OVERLAP <= now]
        return old[-1] if old else known[0]

    def equip(self, papers: Papers, name: str, hosts: Collection[str], *, renew: bool = False) -> bool:
        """Make what an instance lacks or what is due, for these names and addresses; say whether anything changed."""
        self.maintain()
        papers.server.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        signer, now, changed = self.signer, self.clock(), False
        if renew or self._is_due(papers.server, signer, hosts):
            write_private(papers.server, certificates.make_server(signer, name, hosts, now=now).pem)
            changed = True
        if renew or self._is_due(papers.client, signer, ()):
            write_private(papers.client, certificates.make_client(signer, f"app.{name}", now=now).pem)
            changed = True
        return changed

    def _is_due(self, path: Path, signer: Signed, hosts: Collection[str]) -> bool:
        if not path.exists():
            return True
        found = load(path)
        return found.is_due(self.clock()) or not set(hosts) <= set(found.names) or found.issuer != signer.issuer


def load(path: Path) -> Signed:
    """Read a certificate and its key, or raise CertificateBroken."""
    try:
        return certificates.read(path.read_text())
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CertificateBroken(path=str(path), reason=reason) from None

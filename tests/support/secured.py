"""Servers with TLS and certificates of a test's own: Redis 7 itself, and a Valkey behind an edge process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from redyard.engine.find import Engine
from redyard.yard import certificates
from redyard.yard.certificates import DAY, Signed
from tests.support.servers import PASSWORDS, Server, free_port
from tests.support.wait import wait_until

HOSTS = ("127.0.0.1", "localhost")


def authority(name: str = "authority", *, age: float = 0.0) -> Signed:
    """Return an authority that was made so many days ago."""
    return certificates.make_authority(name, now=time.time() - age * DAY)


def server_certificate(by: Signed, *, hosts: tuple[str, ...] = HOSTS, age: float = 0.0, days: float = 90.0) -> str:
    """Return a server's certificate of so many days, made so many days ago (less than none: in the future)."""
    return certificates.make_server(by, "server", hosts, now=time.time() - age * DAY, days=days).pem


class Secured:
    """A store with TLS. `present` gives it another certificate for the connections to come."""

    def __init__(self, directory: Path, engine: Engine, *, limit: int = 50) -> None:
        self.directory = directory
        self.server = Server(engine)
        self.port = free_port()
        self.trusted = directory / "ca.pem"
        self.authority = authority()
        self.trusted.write_text(self.authority.public)
        self.limit = limit
        self.pem = directory / "instance" / "tls" / "server.pem"
        self.pem.parent.mkdir(parents=True)

    def url(self, host: str = "127.0.0.1", scheme: str = "rediss") -> str:
        """Return the address for an app."""
        return f"{scheme}://default:{PASSWORDS['default']}@{host}:{self.port}/0"

    def environ(self, **more: str) -> dict[str, str]:
        """Return the variables of an app."""
        return {"REDIS_URL": self.url(), "REDIS_CA_FILE": str(self.trusted), **more}

    def present(self, pem: str = "", *, clients: bool = False) -> None:
        """Show this certificate from now on, or a good one; and ask clients for theirs."""
        fresh = self.pem.with_suffix(".next")
        fresh.write_text(pem or server_certificate(self.authority))
        fresh.replace(self.pem)
        self.apply(clients=clients)

    def client_certificate(self, by: Signed | None = None, *, age: float = 0.0) -> str:
        """Return the path of a certificate for an app."""
        path = self.directory / "client.pem"
        made = certificates.make_client(by or self.authority, "app", now=time.time() - age * DAY)
        path.write_text(made.pem)
        return str(path)

    def apply(self, *, clients: bool) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.server.close()


class ByEngine(Secured):
    """Redis 7, which speaks TLS itself."""

    def apply(self, *, clients: bool) -> None:
        files = ("tls-cert-file", self.pem, "tls-key-file", self.pem, "tls-ca-cert-file", self.trusted)
        self.server.admin("CONFIG", "SET", *map(str, files), "tls-auth-clients", "yes" if clients else "no")
        self.server.admin("CONFIG", "SET", "tls-port", self.port)


class ByEdge(Secured):
    """A Valkey behind an edge, as the yard starts it."""

    process: subprocess.Popen | None = None

    def apply(self, *, clients: bool) -> None:
        self.write_spec(clients=clients)
        if self.process is None:
            self.start()

    def write_spec(self, *, clients: bool = False, generation: int = 1) -> None:
        """Write what the edge reads."""
        spec = {"name": "store", "generation": generation, "connections": self.limit, "bind": "127.0.0.1"}
        path = self.directory / "instance" / "spec.json.written"
        path.write_text(json.dumps({**spec, "port": self.port, "tls_clients": clients}))
        path.replace(self.directory / "instance" / "spec.json")
        socket = self.directory / f"store.{generation}.sock"
        socket.unlink(missing_ok=True)
        socket.symlink_to(self.server.seat.socket)

    def start(self) -> None:
        """Start the process and wait until it serves."""
        reading, writing = os.pipe()
        words = [self.directory / "instance", self.directory, self.trusted, writing]
        with (self.directory / "edge.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "redyard.edge", *map(str, words)], stderr=log, pass_fds=(writing,)
            )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert "ready\n" == pipe.readline(), self.log

    @property
    def log(self) -> str:
        """What it said."""
        return (self.directory / "edge.log").read_text()

    def stop(self) -> None:
        """End the process by SIGTERM."""
        self.process.terminate()
        wait_until(lambda: self.process.poll() is not None)
        self.process = None

    def close(self) -> None:
        if self.process:
            self.stop()
        super().close()

"""What is wanted of an instance and what was seen of it: the readable files beside its data.

`spec.json` is written when somebody asks for a change, `status.json` when the yard sees one, `secrets.json` when a
password is made or exchanged.
"""

from typing import Literal

from msgspec import Struct

from redyard.engine.access import Grant
from redyard.engine.directives import Limits
from redyard.yard.phases import Phase

Wanted = Literal["running", "stopped"]

Encryption = Literal["", "engine", "edge"]
"""Who speaks TLS with clients: nobody, the engine itself, or an edge before one that cannot."""


class Spec(Struct, frozen=True, kw_only=True):
    """What is wanted: who it is, what it may use, where it listens, whether it shall run, and in which of its seats.

    `generation` counts its moves: each engine has a directory of its own, and this names the one that is true.
    `engine` is the program that it was upgraded to; None for the yard's. `apps` are the users that apps were given.
    With `tls_clients` apps show a certificate.

    An attached one runs elsewhere: what it may use is what it said itself (0: no limit), and its plan is empty.
    """

    name: str
    addon: str
    role: str
    plan: str
    memory: int
    connections: int
    databases: int
    port: int
    created_at: float
    bind: str = "127.0.0.1"
    settings: dict[str, str] = {}
    attached: bool = False
    wanted: Wanted = "running"
    generation: int = 1
    engine: str | None = None
    apps: dict[str, Grant] = {}
    tls: Encryption = ""
    tls_clients: bool = False

    @property
    def ports(self) -> dict[str, str]:
        """Return the engine's settings of where it listens. Behind an edge it has its Unix socket alone."""
        if self.tls == "engine":
            return {"port": "0", "tls-port": str(self.port)}
        return {"port": "0" if self.tls else str(self.port)}

    @property
    def limits(self) -> Limits:
        """Return what the instance may use."""
        return Limits(self.memory, self.connections, self.databases)


class Status(Struct, frozen=True, kw_only=True):
    """What was seen: the phase and why, the process and its proof of identity, the engine, the crashes in a row.

    `plain_until` is the newest connection of this run when TLS began: the older ones over TCP are plain.
    """

    phase: Phase = Phase.STOPPED
    reason: str = "it was not started yet"
    since: float = 0.0
    pid: int | None = None
    mark: str | None = None
    run_id: str | None = None
    engine: str | None = None
    version: str | None = None
    ready_ms: float | None = None
    crashes: int = 0
    plain_until: int = 0
    generation: int = 0

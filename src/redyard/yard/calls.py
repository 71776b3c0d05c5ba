"""The commands' side of the yard's API: one method a call, over the yard's Unix socket.

It imports little, so that a command starts fast.
"""

import http.client
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

from redyard.errors import RedyardError, YardBroke, YardNotRunning, YardSilent, revive
from redyard.yard.home import Home

TIMEOUTS = {
    "status": 5.0,
    "info": 5.0,
    "variables": 5.0,
    "metrics": 5.0,
    "top": 5.0,
    "alerts": 5.0,
    "silence": 5.0,
    "test_alerts": 120.0,
    "add": 90.0,
    "attach": 60.0,
    "detach": 60.0,
    "login": 5.0,
    "remove": 90.0,
    "settings": 5.0,
    "set": 10.0,
    "reset": 10.0,
    "start": 60.0,
    "stop": 150.0,
    "restart": 3600.0,
    "scale": 3600.0,
    "upgrade": 3600.0,
    "capture": 600.0,
    "sample": 600.0,
    "restore": 3600.0,
    "bring": 3600.0,
    "credentials": 5.0,
    "rotate": 3700.0,
    "grant": 30.0,
    "revoke": 30.0,
    "accesses": 5.0,
    "certificates": 5.0,
    "renew": 30.0,
    "enable_tls": 120.0,
    "disable_tls": 120.0,
    "exposure": 10.0,
    "down": 150.0,
}
"""Every call, and the seconds that it may take."""

STARTING = 5.0
"""Seconds that a yard which holds its directory may take to open its socket."""

Answer = dict[str, Any]


class Calls:
    """Asks the yard of a directory; raises its errors as they were raised there."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def status(self) -> Answer:
        """Return the yard and a line for each instance."""
        return self._call("status")

    def info(self, name: str | None = None, *, show: bool = False) -> Answer:
        """Return everything about an add-on or an instance."""
        return self._call("info", name=name, show=show)

    def add(self, name: str = "redis", plan: str = "256mb", **options: object) -> Answer:
        """Make an add-on and start it; options are role, port, bind, tls, tls_clients, where they are not the usual."""
        return self._call("add", name=name, plan=plan, **options)

    def attach(self, url: str, name: str, *, role: str | None = None) -> Answer:
        """Record a Redis that somebody else runs."""
        return self._call("attach", url=url, name=name, role=role)

    def detach(self, name: str) -> Answer:
        """Forget an attached Redis."""
        return self._call("detach", name=name)

    def login(self, name: str, user: str) -> Answer:
        """Return the address of an instance for a person, as one of its users."""
        return self._call("login", name=name, user=user)

    def remove(self, name: str, confirm: str) -> Answer:
        """Remove an add-on or an instance with its data."""
        return self._call("remove", name=name, confirm=confirm)

    def settings(self, name: str) -> Answer:
        """Return the settings of engines, each with its reason."""
        return self._call("settings", name=name)

    def set(self, name: str, setting: str, value: str, *, force: bool = False) -> Answer:
        """Change a setting of one engine, now and for every start."""
        return self._call("set", name=name, setting=setting, value=value, force=force)

    def reset(self, name: str, setting: str) -> Answer:
        """Take back what was set."""
        return self._call("reset", name=name, setting=setting)

    def start(self, name: str) -> Answer:
        """Start engines and keep them running."""
        return self._call("start", name=name)

    def stop(self, name: str) -> Answer:
        """Stop engines and keep them stopped."""
        return self._call("stop", name=name)

    def restart(self, name: str, *, dry_run: bool = False) -> Answer:
        """Put a fresh engine into each one's place."""
        return self._call("restart", name=name, dry_run=dry_run)

    def scale(self, name: str, plan: str, *, move: bool = False, evict: bool = False, dry_run: bool = False) -> Answer:
        """Give instances another plan."""
        return self._call("scale", name=name, plan=plan, move=move, evict=evict, dry_run=dry_run)

    def upgrade(self, name: str, engine: str | None = None, *, pause: bool = False, dry_run: bool = False) -> Answer:
        """Put another engine into the place of the instances' engines."""
        return self._call("upgrade", name=name, engine=engine, pause=pause, dry_run=dry_run)

    def capture(self, name: str, *, base: bool = False) -> Answer:
        """Put everything that stores have written by now into their backups."""
        return self._call("capture", name=name, base=base)

    def sample(self, name: str) -> Answer:
        """Return what a store has at an offset of its stream, and where its backups are."""
        return self._call("sample", name=name)

    def restore(
        self, name: str, at: float | None, *, into: str | None = None, confirm: str = "", offset: str | None = None
    ) -> Answer:
        """Make a moment of a store again, as a new add-on or in the store's place."""
        return self._call("restore", name=name, at=at, into=into, confirm=confirm, offset=offset)

    def bring(self, name: str, url: str, plan: str) -> Answer:
        """Make an add-on of one store that has what another Redis has."""
        return self._call("bring", name=name, url=url, plan=plan)

    def exposure(self, name: str) -> Answer:
        """Return what of instances lies open."""
        return self._call("exposure", name=name)

    def variables(self, name: str | None = None, app: str | None = None, *, files: bool = False) -> Answer:
        """Return the variables that an app reads; with `files`, those too that name files which follow changes."""
        return self._call("variables", name=name, app=app, files=files)

    def credentials(self, name: str, user: str, *, show: bool = False) -> Answer:
        """Return the users of instances."""
        return self._call("credentials", name=name, user=user, show=show)

    def rotate(self, name: str, user: str, *, now: bool = False, wait: float = 600.0) -> Answer:
        """Exchange passwords."""
        return self._call("rotate", name=name, user=user, now=now, wait=wait)

    def grant(self, name: str, app: str, template: str, prefixes: Sequence[str] = ()) -> Answer:
        """Give an app a user of its own."""
        return self._call("grant", name=name, app=app, template=template, prefixes=list(prefixes))

    def revoke(self, name: str, app: str) -> Answer:
        """Take an app's user away."""
        return self._call("revoke", name=name, app=app)

    def accesses(self, name: str) -> Answer:
        """Return the apps that have users of their own."""
        return self._call("accesses", name=name)

    def certificates(self, name: str | None = None) -> Answer:
        """Return the certificates of instances, and the authorities that apps trust."""
        return self._call("certificates", name=name)

    def renew(self, name: str, *, authority: bool = False) -> Answer:
        """Make the certificates of instances anew, now."""
        return self._call("renew", name=name, authority=authority)

    def enable_tls(self, name: str, *, clients: bool | None = None, now: bool = False) -> Answer:
        """Have clients come in by TLS from now on."""
        return self._call("enable_tls", name=name, clients=clients, now=now)

    def disable_tls(self, name: str) -> Answer:
        """Have clients come in plain from now on."""
        return self._call("disable_tls", name=name)

    def metrics(self, name: str | None = None) -> Answer:
        """Return the metrics of instances as Prometheus reads them."""
        return self._call("metrics", name=name)

    def top(self, name: str | None = None) -> Answer:
        """Return what instances do at this moment."""
        return self._call("top", name=name)

    def alerts(self) -> Answer:
        """Return what fires, what is silenced, and what happened."""
        return self._call("alerts")

    def silence(self, rule: str, name: str, seconds: float, reason: str = "") -> Answer:
        """Tell nobody of a rule's alerts for some time; 0 seconds end it."""
        return self._call("silence", rule=rule, name=name, seconds=seconds, reason=reason)

    def test_alerts(self) -> Answer:
        """Send a test message to every channel."""
        return self._call("test_alerts")

    def down(self) -> Answer:
        """Stop every engine, then the yard; return when its process has let go of the directory."""
        answer = self._call("down")
        deadline = time.monotonic() + TIMEOUTS["down"]
        while self.home.is_held() and time.monotonic() < deadline:
            time.sleep(0.01)
        return answer

    def _call(self, name: str, /, **params: object) -> Answer:
        connection = _Connection(self.home, TIMEOUTS[name])
        try:
            connection.request("POST", f"/{name}", json.dumps(params), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except TimeoutError:
            raise YardSilent(home=str(self.home.path), seconds=TIMEOUTS[name]) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise YardBroke(home=str(self.home.path), call=name, reason=str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if response.status != 200:
            raise revive(answer)
        if not isinstance(answer, dict):
            raise RedyardError(problem=f"the yard answered {name} with {type(answer).__name__}")
        return answer


class _Connection(http.client.HTTPConnection):
    """HTTP over the yard's socket."""

    def __init__(self, home: Home, timeout: float) -> None:
        super().__init__("yard", timeout=timeout)
        self._home = home

    def connect(self) -> None:
        """Connect; wait for a yard that is just starting, and say so when there is none."""
        deadline = time.monotonic() + STARTING
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            try:
                return self.sock.connect(str(self._home.api))
            except (FileNotFoundError, ConnectionRefusedError):
                self.sock.close()
            if not self._home.is_held():
                raise YardNotRunning(home=str(self._home.path))
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.02)

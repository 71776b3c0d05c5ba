"""The yard with its calls about what goes on: metrics, a live look, alerts. What watches is in `watch.py`."""

import asyncio
import time

from redyard.alerts import rules
from redyard.alerts.state import Silence
from redyard.errors import InvalidValue
from redyard.metrics import labelled, render
from redyard.units import format_instant
from redyard.yard.moving import MovingYard
from redyard.yard.top import doing
from redyard.yard.yard import Result


class WatchingYard(MovingYard):
    """A yard that also tells what goes on; each public coroutine is a call of the API."""

    async def metrics(self, name: str | None = None) -> Result:
        """Return metrics as Prometheus reads them, each with its instance as a label."""
        chosen = self._select(name) if name else self.instances.values()
        found = [sample for item in chosen for sample in labelled(self.watch.samples(item.name), instance=item.name)]
        return {"text": render(found)}

    async def top(self, name: str | None = None) -> Result:
        """Return what instances do at this moment."""
        chosen = self._select(name) if name else list(self.instances.values())
        rows = await asyncio.gather(*(doing(item, self.watch.watched.get(item.name)) for item in chosen))
        return {"at": format_instant(time.time()), "instances": rows, "alerts": self.watch.notices.firing()}

    async def alerts(self) -> Result:
        """Return what fires or is about to, what is silenced, what happened, and where it is told."""
        return self.watch.notices.to_json()

    async def silence(self, rule: str, name: str = "*", seconds: float = 3600.0, reason: str = "") -> Result:
        """Tell nobody of some alerts for a time."""
        if rule not in {"*", *rules.BY_NAME}:
            raise InvalidValue(value=rule, kind="rule", example="Down (`redyard alerts rules` lists all)")
        if name != "*":
            self._select(name.partition("/")[0])
        until = time.time() + seconds
        self.watch.notices.silence(Silence(rule=rule, subject=name, until=until, reason=reason))
        return self.watch.notices.to_json()

    async def test_alerts(self) -> Result:
        """Send a test message to every channel."""
        return {"deliveries": [item._asdict() for item in await self.watch.notices.test()]}

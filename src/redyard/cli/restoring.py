"""A moment into an empty server that may be anybody's: as its primary, by RESTORE, or by plain commands.

Of these ways the exactest that the server allows is taken; a way that fails leaves it empty for the next one.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from redyard.backups import canonical, copying, logical, primary
from redyard.backups.pace import Pace, figures
from redyard.backups.restore import facts_of
from redyard.backups.scratch import can_import, serving
from redyard.backups.storage import Storage
from redyard.backups.timeline import LOGICAL, Recipe
from redyard.client.url import redact
from redyard.engine.find import Engine
from redyard.errors import PrimaryRefused, TargetRefused, Usage
from redyard.yard.calls import Calls
from redyard.yard.plans import PLANS

Tell = Callable[[str], None]


class Wish(NamedTuple):
    """What is to be restored: a moment, which of its keys, whether they live on, and the engine that reads it."""

    storage: Storage
    recipe: Recipe
    pattern: str | None
    shift: bool
    engine: Engine

    @property
    def size(self) -> int:
        """Return the bytes that an engine reads for it."""
        return facts_of(self.storage, self.recipe.base.name).raw_size + sum(take for _, _, take in self.recipe.spans())


def check(wish: Wish) -> None:
    """Raise Usage where the engine here cannot do it."""
    if wish.shift and not can_import(wish.engine):
        seen = f"{wish.engine.name} {wish.engine.version}"
        problem = f"--shift-ttl needs Valkey 8.1 or newer for the scratch engine; this is {seen}"
        raise Usage(problem=problem, command="redyard backups")


def to(wish: Wish, url: str, *, tell: Tell, say: Tell) -> dict[str, object]:
    """Fill the empty server at an address; return what was done.

    Args:
        tell: hears how far it is.
        say: hears why a way was not taken.
    """
    target = canonical.connect(url)
    began = time.monotonic()
    try:
        copying.check_empty(target, redact(url))
        way = _fill(wish, target, tell, say)
        return _done(wish, target, way, began) | {"instances": []}
    finally:
        target.close()


def into(wish: Wish, yard: Calls, name: str, *, plan: str, tell: Tell) -> dict[str, object]:
    """Make an add-on of one store and fill it; on any trouble nothing of it stays.

    Args:
        plan: the new store's; empty for the smallest that fits.
    """
    began = time.monotonic()
    tell("reading the moment")
    with serving(wish.engine, wish.storage, wish.recipe, imports=wish.shift) as source:
        yard.add(name, plan or plan_for(source.client), role="store")
        try:
            made = yard.info(name, show=True)["instances"]
            target = canonical.connect(made[0]["url"])
            try:
                _copy(wish, source.client, target, tell)
                done = _done(wish, target, "commands", began)
            finally:
                target.close()
        except BaseException:
            yard.remove(name, name)
            raise
    return done | {"instances": [{**item, "url": "***"} for item in made]}


def plan_for(source: Any) -> str:
    """Return the smallest plan that has a quarter more than what a server uses."""
    lines = dict(
        line.split(":", 1) for line in source.execute_command("INFO", "memory").decode().splitlines() if ":" in line
    )
    fits = [plan.name for plan in PLANS.values() if plan.memory >= int(lines["used_memory"]) * 1.25]
    return str(fits[0] if fits else list(PLANS)[-1])


def _fill(wish: Wish, target: Any, tell: Tell, say: Tell) -> str:
    """Fill a server in the exactest way that it allows, and return which it was."""
    pace = Pace()
    if not wish.pattern and not wish.shift:
        by_restore = wish.recipe.base.kind == LOGICAL
        try:
            if by_restore:
                logical.replay(wish.storage, wish.recipe.base, target, tell=lambda done: tell(pace.keys(done)))
            else:
                primary.fill(target, wish.storage, wish.recipe, lambda *at: tell(pace.bytes(*at)))
        except (PrimaryRefused, TargetRefused) as error:
            if isinstance(error, TargetRefused) and not logical.no_way(error):
                raise
            say(f"{error}; its keys are written by commands.")
        else:
            return "restore" if by_restore else "replication"
    tell("reading the moment")
    pace = Pace()
    fill = serving(wish.engine, wish.storage, wish.recipe, imports=wish.shift, tell=lambda *at: tell(pace.bytes(*at)))
    with fill as source:
        _copy(wish, source.client, target, tell)
    return "commands"


def _copy(wish: Wish, source: Any, target: Any, tell: Tell) -> None:
    pace = Pace()
    shift = time.time() - wish.recipe.at if wish.shift else 0.0
    copying.copy(source, target, pattern=wish.pattern, shift=shift, tell=lambda done: tell(pace.keys(done)))


def _done(wish: Wish, target: Any, way: str, began: float) -> dict[str, object]:
    """Count what was restored, by reading it there."""
    seconds = time.monotonic() - began
    state = canonical.state(target)
    speed = figures(wish.size, sum(state.keys.values()), seconds)
    return {"keys": state.keys, "digest": state.text, "way": way, **speed}

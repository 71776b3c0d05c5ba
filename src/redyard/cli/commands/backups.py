"""`redyard backups`: one command, a table of actions; each is a function here, and its work is in `redyard.backups`.

NAME is an instance of the yard, or the storage itself (a directory, s3://BUCKET/PATH): what only reads backups needs
no yard, so it works on the day when there is none.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from redyard.cli.hiding import hide
from redyard.cli.lazy import load
from redyard.cli.output import Output
from redyard.cli.servers import address
from redyard.cli.yard import calls, home, settings
from redyard.errors import FollowRefused, NoBackups, NotConfirmed, RedyardError, SecretShown, TargetNotEmpty, Usage
from redyard.units import format_instant, parse_instant, parse_span

EXAMPLES = (
    "redyard backups list redis",
    "redyard backups restore redis --at 2026-11-23T02:15:00.250Z --into before",
    "redyard backups restore redis --before-flush --into before",
    "redyard backups restore redis-store --at latest --over --confirm redis-store",
    "redyard backups restore redis --at latest --keys 'session:*' --shift-ttl --to redis://localhost:6379",
    "redyard backups open redis --at 2026-11-23T02:15:00Z",
    "redyard backups diff redis --at 2026-11-23T02:00:00Z --and latest --keys 'job:*'",
    "redyard backups verify s3://backups/redis-store",
    "redyard backups export redis --at latest --to redis.rdb",
    "redyard backups import shop --from redis://default:secret@db.example.com:6379",
    "redyard backups import shop --from - < secrets/url",
    "redyard backups follow --to s3://backups/db",
    "redyard backups follow - --to s3://backups/db --every 15m < secrets/url",
)

LATEST = "latest"

PATIENCE = 3600.0
"""Seconds between looks whether a scratch engine that is open has ended by itself."""


class Asked(NamedTuple):
    """What the command line says."""

    out: Output
    name: str
    at: str
    other: str
    into: str
    over: bool
    confirm: str
    keys: str
    shift_ttl: bool
    before_flush: bool
    base: bool
    to: str
    source: str
    dry_run: bool
    every: str


def backups(  # noqa: PLR0913, PLR0917 - the options of all actions
    out: Output,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="What to do: list, capture, restore, ...")],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A store of the yard, or a storage. follow: a URL; default: REDIS_URL."),
    ] = "",
    at: Annotated[str, typer.Option(metavar="MOMENT", help="ISO 8601 with its zone, or `latest`.")] = LATEST,
    other: Annotated[str, typer.Option("--and", metavar="MOMENT", help="diff: the other moment.")] = "",
    into: Annotated[str, typer.Option(metavar="NEW", help="restore: the name of the add-on to make.")] = "",
    over: Annotated[bool, typer.Option("--over", help="restore: in the place of the store itself.")] = False,
    confirm: Annotated[str, typer.Option(metavar="NAME", help="restore --over: the instance's name again.")] = "",
    keys: Annotated[str, typer.Option(metavar="PATTERN", help="restore, diff: these keys only.")] = "",
    shift_ttl: Annotated[
        bool, typer.Option("--shift-ttl", help="restore: keys live as long as they had left at the moment.")
    ] = False,
    before_flush: Annotated[
        bool, typer.Option("--before-flush", help="restore, open: just before the last FLUSHALL or mass delete.")
    ] = False,
    base: Annotated[bool, typer.Option("--base", help="capture: take a new base too.")] = False,
    to: Annotated[
        str, typer.Option(metavar="TARGET", help="restore: a Redis' URL; export: a file; follow: a storage.")
    ] = "",
    source: Annotated[str, typer.Option("--from", metavar="URL", help="import: the Redis to copy.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="prune: say what would go.")] = False,
    every: Annotated[
        str, typer.Option(metavar="SPAN", help="follow: read all keys so often where nobody may follow. Default: 1h.")
    ] = "",
) -> None:
    """List, take, restore, prove and compare backups: every moment of a store.

    ACTION is one of: `list` (the moments that can be restored); `capture` (put all that was written into the backups
    now); `restore`; `open` (serve a moment, for reading, until Ctrl-C); `diff` (what changed between two moments);
    `verify` (read every object, restore, compare with the store); `prune` (remove what is older than is kept);
    `export` (a moment as .rdb or .jsonl); `import` (a new add-on with what another Redis has); `follow` (back up any
    Redis, without a yard).

    A moment is restored into a new add-on (--into), into another, empty Redis (--to), or in the store's own place
    (--over), whose state is captured first.

    In the place of a URL, - reads it from stdin. A password on the command line is in the shell's history, and for an
    instant in the process list.
    """
    asked = Asked(
        out, name, at, other, into, over, confirm, keys, shift_ttl, before_flush, base, to, source, dry_run, every
    )
    if action not in ACTIONS:
        raise Usage(problem=f"there is no action {action!r}; there are {', '.join(ACTIONS)}", command="redyard backups")
    if not name and action != "follow":
        raise Usage(problem=f"{action} wants the NAME of a store, or a storage", command="redyard backups")
    row = ACTIONS[action]
    given = {field for field in Asked._fields[2:] if getattr(asked, field)} - ({"at"} if at == LATEST else set())
    if wrong := sorted(given - row.options):
        words = ", ".join("--" + OPTION.get(word, word.replace("_", "-")) for word in wrong)
        raise Usage(problem=f"{action} takes no {words}", command="redyard backups")
    row.run(asked)


OPTION = {"other": "and", "source": "from"}


# ---- what only looks


def _list(asked: Asked) -> None:
    place, storage = _storage(asked.name)
    asked.out.show(load("redyard.backups.listing").listing(storage, place), "backups")


def _verify(asked: Asked) -> None:
    proving = load("redyard.backups.proving")
    sample, name = _sample(asked.name)
    place, storage = _storage(name)
    with _telling(asked.out, f"Verifying {place}") as tell:
        faults = proving.faults(storage, tell)
        if faults:
            asked.out.show(
                {"storage": place, "proof": None, "faults": [vars_of(fault) for fault in faults]}, "verified"
            )
            raise load("redyard.errors").BackupDamaged(name=faults[0].name, reason=faults[0].reason)
        moment = proving.any_moment(storage, random.random())  # noqa: S311 - any will do
        proof = proving.prove(_engine(), storage, sample, at=moment, tell=tell)
    asked.out.show({"storage": place, "proof": vars_of(proof), "faults": []}, "verified")


def _open(asked: Asked) -> None:
    _, storage = _storage(asked.name, fresh=True)
    recipe, _ = _recipe(asked, storage)
    port = load("redyard.backups.listing").free_port()
    with asked.out.working("Restoring the moment"), ExitStack() as stack:
        serving = load("redyard.backups.scratch").serving
        made = stack.enter_context(serving(_engine(), storage, recipe, port=port, imports=True))
        password = made.passwords["monitor"]
        url = f"redis://monitor:{password}@127.0.0.1:{port}/0"
        asked.out.show({"moment": format_instant(recipe.at), "url": url, "pid": os.getpid()}, "opened")
        asked.out.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scratch engine must not outlive its command
        while not made.process.wait(PATIENCE):
            pass


def _diff(asked: Asked) -> None:
    if not asked.other:
        raise Usage(problem="diff wants two moments: --at and --and", command="redyard backups")
    _, storage = _storage(asked.name, fresh=True)
    listing = load("redyard.backups.listing")
    with asked.out.working("Restoring both moments"):
        recipes = [_recipe(asked._replace(at=at), storage)[0] for at in (asked.at, asked.other)]
        found = listing.difference(_engine(), storage, recipes, asked.keys or None)
    asked.out.show(found, "difference")


def _export(asked: Asked) -> None:
    if not asked.to:
        raise Usage(problem="export wants a file: --to FILE.rdb or FILE.jsonl", command="redyard backups")
    target = Path(asked.to)
    if target.exists():
        raise TargetNotEmpty(target=asked.to, found="there is a file of that name")
    _, storage = _storage(asked.name, fresh=True)
    recipe, _ = _recipe(asked, storage)
    with asked.out.working(f"Writing {target}"):
        keys = load("redyard.backups.export").export(_engine(), storage, recipe, target)
    asked.out.show(
        {"moment": format_instant(recipe.at), "file": str(target), "size": target.stat().st_size, "keys": keys},
        "exported",
    )


# ---- what changes something


def _capture(asked: Asked) -> None:
    with asked.out.working("Putting the last writes into the backups"):
        answer = calls().capture(asked.name, base=asked.base)
    asked.out.show(answer, "captured")


def _restore(asked: Asked) -> None:
    if sum(map(bool, (asked.into, asked.over, asked.to))) != 1:
        problem = "restore wants one of --into NEW, --to URL and --over"
        raise Usage(problem=problem, command="redyard backups")
    elsewhere = "/" in asked.name or (not asked.to and _is_attached(asked.name))
    if asked.over and (asked.keys or elsewhere):
        problem = "--over restores all of a store's own backups, here; --keys and others' stores go --into a new add-on"
        raise Usage(problem=problem, command="redyard backups")
    by_commands = asked.to or asked.keys or elsewhere
    if asked.shift_ttl and not by_commands:
        raise Usage(problem="--shift-ttl goes with --keys or --to", command="redyard backups")
    if by_commands:
        _restore_by_commands(asked)
    else:
        _restore_whole(asked)


def _restore_whole(asked: Asked) -> None:
    """Let the yard make an engine on the files of the moment."""
    yard, confirm = calls(), ""
    if asked.over:
        confirm = _confirmed(asked)
    offset = what = None
    if asked.before_flush:
        recipe, what = _recipe(asked, _storage(asked.name, fresh=True)[1])
        offset = f"{recipe.base.history}:{recipe.until}"
    at = None if asked.at == LATEST else parse_instant(asked.at)
    with load("redyard.cli.progress").moving(asked.out, "Restoring", yard):
        answer = yard.restore(asked.name, at, into=asked.into or None, confirm=confirm, offset=offset)
        url = yard.login(answer["instances"][0]["name"], "default")["url"]  # its socket: no TLS is needed
        state = _state(url)
    asked.out.show({**answer, "before": what, "digest": state.text, "keys": state.keys}, "restored")


def _restore_by_commands(asked: Asked) -> None:
    """Fill an empty server, ours or another, with a moment, or with some of its keys."""
    restoring = load("redyard.cli.restoring")
    _, storage = _storage(asked.name, fresh=True)
    recipe, what = _recipe(asked, storage)
    wish = restoring.Wish(storage, recipe, asked.keys or None, asked.shift_ttl, _engine())
    restoring.check(wish)
    plan = _plan_of(asked.name) if asked.into else ""
    with _telling(asked.out, "Restoring") as tell:
        if asked.to:
            done = restoring.to(wish, _url(asked.to), tell=tell, say=asked.out.say)
        else:
            done = restoring.into(wish, calls(), asked.into, plan=plan, tell=tell)
    asked.out.show({"moment": format_instant(recipe.at), "before": what, "moved": [], **done}, "restored")


def _plan_of(name: str) -> str:
    """Return the plan of a store of the yard; nothing for a storage or an attached one, which have none."""
    if "/" in name:
        return ""
    [source] = [item for item in calls().info(name)["instances"] if item["role"] == "store"]
    return str(source["plan"] or "")


def _is_attached(name: str) -> bool:
    """Say whether somebody else runs a store: then its moments go where a storage's do."""
    return any(item["attached"] for item in calls().info(name)["instances"] if item["role"] == "store")


def _confirmed(asked: Asked) -> str:
    [store] = [item for item in calls().info(asked.name)["instances"] if item["role"] == "store"]
    name = str(store["name"])
    if asked.confirm:
        return asked.confirm
    if not asked.out.answers:
        raise NotConfirmed(name=name)
    keys = store["keys"] if store["keys"] is not None else "unknown"
    asked.out.say(f"{name} has {keys} keys; the moment takes their place. What it has now is captured first.")
    return asked.out.ask(f"Type {name} to restore over it: ")


def _prune(asked: Asked) -> None:
    keep, retention, timeline = (load(f"redyard.backups.{name}") for name in ("keep", "retention", "timeline"))
    place, storage = _storage(asked.name)
    gone = retention.superfluous(timeline.Timeline(storage.names()), retention.Policy(), time.time())
    if not asked.dry_run:
        keep.remove(storage, gone)
    asked.out.show({"storage": place, "dry_run": asked.dry_run, "objects": [item.name for item in gone]}, "pruned")


def _import(asked: Asked) -> None:
    """Make a store that follows the other Redis until it has everything; by commands where that cannot be followed."""
    if not asked.source:
        raise Usage(problem="import wants the Redis to copy: --from URL", command="redyard backups")
    canonical, yard = load("redyard.backups.canonical"), calls()
    place = _url(asked.source)
    source = canonical.connect(place)
    began, way = time.monotonic(), "replication"
    try:
        plan = load("redyard.cli.restoring").plan_for(source)
        try:
            with load("redyard.cli.progress").moving(asked.out, f"Importing {asked.name}", yard):
                answer = yard.bring(asked.name, place, plan)
        except FollowRefused as error:
            asked.out.say(f"{error}; its keys are read instead.")
            way, answer = "commands", _bring_by_commands(asked, source, plan)
        url = yard.info(asked.name, show=True)["instances"][0]["url"]
        with asked.out.working("Comparing"):
            theirs, ours = canonical.state(source), _state(url)
    finally:
        source.close()
    facts = {"way": way, "seconds": time.monotonic() - began, "pause": answer.get("pause")}
    facts |= {"keys": ours.keys, "digest": ours.text, "equal": theirs == ours, "source_keys": theirs.keys}
    asked.out.show({**facts, "instances": answer["instances"]}, "imported")


def _bring_by_commands(asked: Asked, source: Any, plan: str) -> dict[str, Any]:
    yard = calls()
    yard.add(asked.name, plan, role="store")
    target = load("redyard.backups.canonical").connect(yard.info(asked.name, show=True)["instances"][0]["url"])
    try:
        with _telling(asked.out, f"Importing {asked.name}") as tell:
            load("redyard.backups.copying").copy(source, target, tell=lambda done: tell(f"{done:,} keys"))
    except BaseException:
        yard.remove(asked.name, asked.name)
        raise
    finally:
        target.close()
    return {"instances": yard.info(asked.name)["instances"]}


def _follow(asked: Asked) -> None:
    if not asked.to:
        raise Usage(
            problem="follow wants a storage: --to DIRECTORY or --to s3://BUCKET/PATH", command="redyard backups"
        )
    if not hide(sys.argv):
        raise SecretShown(command="redyard backups follow")
    url, every = address(asked.name or None), parse_span(asked.every or settings().backups_every)
    asked.out.say(f"Following into {asked.to}; Ctrl-C ends it.")
    load("redyard.backups.alone").follow(url, asked.to, settings(), every=every)


# ---- steps


def _url(given: str) -> str:
    """Return the address of a Redis, with the authority that REDIS_CA_FILE names."""
    url = load("redyard.client.url")
    return str(url.trusting(url.check_url(address(given)), settings().redis_ca_file))


def _storage(name: str, *, fresh: bool = False) -> tuple[str, Any]:
    """Open the storage that a name means; no yard is needed for it.

    Args:
        fresh: have a yard that runs put there what was written in the last seconds.
    """
    place = load("redyard.backups.place")
    if fresh and "/" not in name and home().is_held():
        with suppress(RedyardError):  # what is in the storage can be restored all the same
            calls().capture(name)
    if "/" in name:
        return name, place.open_storage(name, settings())
    root = settings().backups or str(home().path / "backups")
    for instance in (name, f"{name}-store"):
        storage = place.open_storage(root, settings(), instance)
        if load("redyard.backups.timeline").Timeline(storage.names()).bases:
            return storage.address, storage
    raise NoBackups(name=name, reason=f"{root} has none")


def _recipe(asked: Asked, storage: Any) -> tuple[Any, str | None]:
    if asked.before_flush:
        found = load("redyard.backups.disaster").last_disaster(storage)
        return found.recipe, found.what
    at = None if asked.at == LATEST else parse_instant(asked.at)
    return load("redyard.backups.restore").choose(storage, at), None


def _sample(name: str) -> tuple[Any, str]:
    """Ask the yard what a running store has; None where there is no yard, or it does not run."""
    if "/" in name or not home().is_held():
        return None, name
    sample = load("redyard.backups.sample")
    found = [item for item in calls().info(name)["instances"] if item["role"] == "store" and item["phase"] == "running"]
    if not found:
        return None, name
    answer = calls().sample(name)
    if answer["sample"] is None:
        return None, answer["name"]
    return load("msgspec").convert(answer["sample"], sample.Sample, strict=False), answer["name"]


def _engine() -> Any:
    return load("redyard.engine.find").find(settings().engine)


def _state(url: str) -> Any:
    canonical = load("redyard.backups.canonical")
    client = canonical.connect(url)
    try:
        return canonical.state(client)
    finally:
        client.close()


def _telling(out: Output, text: str) -> "_Telling":
    return _Telling(out, text)


class _Telling:
    """A spinner whose text says how far something is."""

    def __init__(self, out: Output, text: str) -> None:
        self._text, self._working = text, out.working(text)
        self._spinner: Any = None

    def __enter__(self) -> Callable[[str], None]:
        self._spinner = self._working.__enter__()
        return self._tell

    def __exit__(self, *error: Any) -> None:
        self._working.__exit__(*error)

    def _tell(self, text: str) -> None:
        if self._spinner is not None:
            self._spinner.update(f"{self._text}  {text}")


def vars_of(found: Any) -> Any:
    """Return a record as plain values."""
    return load("msgspec").to_builtins(found)


class Action(NamedTuple):
    """A row: what is run, and the options that it takes."""

    run: Callable[[Asked], None]
    options: set[str]


ACTIONS = {
    "list": Action(_list, set()),
    "capture": Action(_capture, {"base"}),
    "restore": Action(_restore, {"at", "into", "over", "confirm", "keys", "shift_ttl", "before_flush", "to"}),
    "open": Action(_open, {"at", "before_flush"}),
    "diff": Action(_diff, {"at", "other", "keys"}),
    "verify": Action(_verify, set()),
    "prune": Action(_prune, {"dry_run"}),
    "export": Action(_export, {"at", "to"}),
    "import": Action(_import, {"source"}),
    "follow": Action(_follow, {"to", "every"}),
}

"""What `--json` prints: the shape of each command's data, typed. The reference page and a test read the same types.

Sizes are bytes, spans seconds, moments ISO 8601; null is what is not known or does not apply.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct


def _says(text: str) -> Meta:
    return Meta(description=text)


class Shape(Struct, kw_only=True, forbid_unknown_fields=True):
    """An object; it has exactly these fields."""


class Line(Shape):
    """An instance as `status` shows it."""

    name: Annotated[str, _says("The instance's name.")]
    addon: Annotated[str, _says("The add-on that it belongs to.")]
    role: Annotated[str, _says("`store` or `cache`.")]
    attached: Annotated[bool, _says("Whether somebody else runs its engine.")]
    plan: Annotated[str | None, _says("The plan; null of an attached one.")]
    phase: Annotated[str, _says("Its phase, as on the page of phases.")]
    reason: Annotated[str, _says("Why it is in that phase.")]
    doing: Annotated[str, _says("What is being done with it, such as a move; empty for nothing.")]
    wanted: Annotated[str, _says("`running` or `stopped`.")]
    port: Annotated[int, _says("The port; 0 of a socket.")]
    pid: Annotated[int | None, _says("The engine's process.")]
    memory_used: Annotated[int | None, _says("Bytes in use.")]
    memory_limit: Annotated[int | None, _says("Bytes that it may use.")]
    clients: Annotated[int | None, _says("Connections, the yard's own aside.")]
    clients_limit: Annotated[int | None, _says("Connections that apps may have.")]
    crashes: Annotated[int, _says("Crashes in a row.")]
    uptime_seconds: Annotated[int | None, _says("Seconds since the engine's start.")]
    backups: Annotated[dict[str, Any] | None, _says("Its backups: where, how far, the last proof; null without any.")]


class Info(Line):
    """An instance as `info` shows it: all of `Line`, and more."""

    url: Annotated[str, _says("The address for an app; the password is *** without --show.")]
    engine: Annotated[str | None, _says("`valkey` or `redis`.")]
    version: Annotated[str | None, _says("The engine's version.")]
    authentication: Annotated[str, _says("Who may in, in words.")]
    reachable_from: Annotated[str | None, _says("Who can reach it, in words.")]
    encryption: Annotated[str | None, _says("How connections over TCP are encrypted, in words.")]
    databases: Annotated[int | None, _says("Databases.")]
    policy: Annotated[str | None, _says("maxmemory-policy.")]
    persistence: Annotated[str | None, _says("What it writes to the disk, in words.")]
    socket: Annotated[str | None, _says("Its socket.")]
    log: Annotated[str | None, _says("Its log.")]
    machine_memory: Annotated[int | None, _says("Bytes that the machine should have free for it.")]
    machine_memory_free: Annotated[int | None, _says("Bytes that the machine has free.")]
    directory: Annotated[str, _says("Its directory.")]
    created_at: Annotated[str, _says("When it was made or attached.")]
    ready_ms: Annotated[float | None, _says("Milliseconds from the engine's start to its first answer.")]
    keys: Annotated[int | None, _says("Keys in all databases.")]
    evicted: Annotated[int | None, _says("Keys that it threw away.")]


class YardLine(Shape):
    """The yard's process."""

    home: Annotated[str, _says("Its directory.")]
    pid: Annotated[int, _says("Its process.")]
    version: Annotated[str, _says("Its version of Redyard.")]
    started_at: Annotated[str, _says("When it was started.")]
    uptime_seconds: Annotated[int, _says("Seconds since then.")]


class Status(Shape):
    """The yard and its instances."""

    yard: Annotated[YardLine, _says("The yard.")]
    alerts: Annotated[list[dict[str, Any]], _says("What fires now.")]
    instances: Annotated[list[Line], _says("Its instances.")]


class Instances(Shape):
    """Instances after a change."""

    instances: Annotated[list[Line], _says("Those that were meant.")]


class Moved(Shape):
    """A move that was made."""

    name: Annotated[str, _says("The instance.")]
    pause_ms: Annotated[float, _says("Milliseconds without writes.")]
    seconds: Annotated[float, _says("How long it took, with the copy.")]
    memory: Annotated[int, _says("Bytes that the new engine uses.")]


class Change(Shape):
    """What a change means; pairs are before and after."""

    name: Annotated[str, _says("The instance.")]
    way: Annotated[str, _says("`in place`, `move`, `move by the log` or `stop and start`.")]
    plan: Annotated[list[str], _says("The plan.")]
    memory: Annotated[list[int], _says("Bytes that it may use.")]
    engine: Annotated[list[str], _says("The engine and its version.")]
    used: Annotated[int, _says("Bytes of data.")]
    rss: Annotated[int, _says("Bytes that the process has.")]
    evicted_keys: Annotated[int, _says("About how many keys a cache would drop.")]
    pause: Annotated[float, _says("Seconds without writes that are to be expected.")]
    pause_ms: Annotated[int, _says("The same in milliseconds.")]
    memory_needed: Annotated[int, _says("Bytes that the machine must have free.")]
    memory_free: Annotated[int, _says("Bytes that it has free.")]
    disk_needed: Annotated[int, _says("Bytes of disk that are needed.")]
    disk_free: Annotated[int, _says("Bytes of disk that are free.")]
    refused: Annotated[str | None, _says("Why it would be refused; null where it would not be.")]


class Changes(Shape):
    """What would change (`--dry-run`: only `changes`), or has."""

    changes: Annotated[list[Change], _says("Of each instance.")] = []
    instances: Annotated[list[Line], _says("Those that were meant.")] = []
    moved: Annotated[list[Moved], _says("The moves that were made.")] = []


class Infos(Shape):
    """All about instances."""

    name: Annotated[str | None, _says("What was asked for.")]
    instances: Annotated[list[Info], _says("Those that were meant.")]


class Added(Shape):
    """A new add-on."""

    addon: Annotated[str, _says("Its name.")]
    plan: Annotated[str | None, _says("Its plan; null when it is attached.")]
    instances: Annotated[list[Info], _says("What it has.")]
    seconds: Annotated[float | None, _says("How long it took.")]


class Detached(Shape):
    """What was forgotten."""

    detached: Annotated[list[str], _says("Names of instances.")]
    backups: Annotated[list[str], _says("Where backups of theirs stay; empty where there are none.")]


class Removed(Shape):
    """What was removed."""

    removed: Annotated[list[str], _says("Names of instances.")]
    again: Annotated[str | None, _says("The command that makes an empty one again.")]


class Down(Shape):
    """What was ended."""

    stopped: Annotated[list[str], _says("Names of instances.")]
    home: Annotated[str, _says("The yard's directory.")]


class PlanLine(Shape):
    """A plan."""

    name: Annotated[str, _says("Its name.")]
    memory: Annotated[int, _says("Bytes of both instances.")]
    store: Annotated[int, _says("Bytes of the store.")]
    cache: Annotated[int, _says("Bytes of the cache.")]
    connections: Annotated[int, _says("Connections of each.")]
    databases: Annotated[int, _says("Databases of each.")]
    machine_memory: Annotated[int, _says("Bytes that the machine should have free.")]


class Plans(Shape):
    """All plans."""

    plans: Annotated[list[PlanLine], _says("The smallest first.")]


class Versions(Shape):
    """What runs here."""

    redyard: Annotated[str, _says("Redyard's version.")]
    python: Annotated[str, _says("Python's version.")]
    platform: Annotated[str, _says("The system.")]
    engine: Annotated[dict[str, Any], _says("The engine that a new instance would have, or the error of finding none.")]


class Setting(Shape):
    """A setting of an engine."""

    setting: Annotated[str, _says("The engine's name of it.")]
    value: Annotated[str | None, _says("What counts now; null when the engine does not say.")]
    redyard: Annotated[str | None, _says("What Redyard gives it; null when it gives none.")]
    set_by_you: Annotated[bool, _says("Whether `config set` gave it.")]
    why: Annotated[str, _says("Why Redyard gives that.")]
    guide: Annotated[str, _says("What the common advice is.")]
    loses: Annotated[str | None, _says("What the value loses.")]


class InstanceSettings(Shape):
    """The settings of an instance."""

    name: Annotated[str, _says("The instance.")]
    role: Annotated[str, _says("Its role.")]
    attached: Annotated[bool, _says("Whether somebody else runs it.")]
    settings: Annotated[list[Setting], _says("In the order of the table.")]


class Settings(Shape):
    """The settings of instances."""

    instances: Annotated[list[InstanceSettings], _says("Those that were meant.")]


class Changed(Shape):
    """A setting that was changed."""

    name: Annotated[str, _says("The instance.")]
    setting: Annotated[str, _says("The setting.")]
    value: Annotated[str | None, _says("What it is now.")]
    before: Annotated[str, _says("What it was.")]
    loses: Annotated[str | None, _says("What the value loses.")]
    restart_needed: Annotated[bool, _says("Whether it counts from the next restart only.")]


class OldPassword(Shape):
    """A password that counts beside the new one."""

    connections: Annotated[int, _says("Connections that came in with it.")]


class UserLine(Shape):
    """A user of an engine."""

    user: Annotated[str, _says("Its name.")]
    purpose: Annotated[str, _says("What it is for.")]
    password: Annotated[str, _says("The password; `***` without --show.")]
    url: Annotated[str, _says("Its address.")]
    since: Annotated[str, _says("Since when the password counts.")]
    connections: Annotated[int, _says("Connections of this user.")]
    old_password: Annotated[OldPassword | None, _says("The old one, while it counts too.")]


class InstanceUsers(Shape):
    """The users of an instance."""

    name: Annotated[str, _says("The instance.")]
    users: Annotated[list[UserLine], _says("The engine's own first, then the apps'.")]


class Users(Shape):
    """The users of instances."""

    instances: Annotated[list[InstanceUsers], _says("Those that were meant.")]


class RefusedClient(Shape):
    """A client that was refused because of its password."""

    user: Annotated[str, _says("As whom it came.")]
    name: Annotated[str, _says("The client's name; empty for none.")]
    address: Annotated[str, _says("From where.")]
    age: Annotated[int, _says("Seconds ago.")]


class RotatedInstance(Shape):
    """An instance with new passwords."""

    name: Annotated[str, _says("The instance.")]
    users: Annotated[list[str], _says("Whose.")]
    closed: Annotated[int, _says("Connections that --now closed.")]
    refused: Annotated[list[RefusedClient], _says("Who was refused since.")]


class Rotated(Shape):
    """New passwords."""

    rotated: Annotated[list[RotatedInstance], _says("Where.")]
    seconds: Annotated[float, _says("How long it took.")]


class AccessLine(Shape):
    """An app's user on an instance."""

    app: Annotated[str, _says("The app, and the user's name.")]
    name: Annotated[str, _says("The instance.")]
    template: Annotated[str, _says("The rights' template, as on the page of users.")]
    prefixes: Annotated[list[str], _says("Patterns of its keys and channels; none for all.")]
    added_at: Annotated[str, _says("Since when.")]
    connections: Annotated[int, _says("Connections of this user.")]


class Access(Shape):
    """The users of apps."""

    access: Annotated[list[AccessLine], _says("By instance and app.")]


class Granted(Shape):
    """What an app was given."""

    app: Annotated[str, _says("The app.")]
    instances: Annotated[list[AccessLine], _says("Where.")]
    variables: Annotated[str, _says("The command that prints its variables.")]


class Revoked(Shape):
    """What was taken from an app."""

    name: Annotated[str, _says("The add-on or instance.")]
    app: Annotated[str, _says("The app.")]
    instances: Annotated[list[AccessLine], _says("What it had.")]


class AuditLine(Struct, kw_only=True):
    """A line of `audit`, one object a line."""

    time: Annotated[str, _says("When it began.")]
    id: Annotated[str, _says("A name of its own.")]
    operation: Annotated[str, _says("The call of the yard.")]
    parameters: Annotated[dict[str, Any], _says("With what; `***` for secrets.")]
    uid: Annotated[int | None, _says("The user's number; null where the system does not tell.")]
    user: Annotated[str, _says("The user's name.")]
    pid: Annotated[int | None, _says("The process that asked.")]
    command: Annotated[str, _says("Its command line; empty if it had ended.")]
    state: Annotated[str, _says("`done`, or `unfinished`: it goes on, or was cut short.")]
    result: Annotated[str | None, _says("`ok`, or the error's name.")]
    before: Annotated[dict[str, Any], _says("What changed, as it was, by instance.")] = {}
    after: Annotated[dict[str, Any], _says("What changed, as it is.")] = {}
    seconds: Annotated[float | None, _says("How long it took.")] = None
    message: Annotated[str, _says("The error.")] = ""


class LogLine(Struct, kw_only=True):
    """A line of `logs`, one object a line; an event's own fields stand beside these."""

    level: Annotated[str, _says("`debug`, `info`, `warn` or `error`.")]
    message: Annotated[str, _says("What happened: an event's name, or an engine's words.")]
    time: Annotated[str, _says("When.")]
    source: Annotated[str, _says("`yard` or `engine`.")]
    name: Annotated[str, _says("The instance; absent when it is about none.")] = ""


class Failure(Shape):
    """An error: one object on stderr, whatever the command."""

    error: Annotated[str, _says("Its name, as on the page of errors.")]
    message: Annotated[str, _says("What happened.")]
    hint: Annotated[str, _says("What to do next.")]
    page: Annotated[str, _says("Where it is explained.")]
    status: Annotated[int, _says("The exit status.")]
    details: Annotated[dict[str, Any], _says("The values in the message.")]


TABLE: dict[str, type] = {
    "up": Status,
    "down": Down,
    "status": Status,
    "version": Versions,
    "logs": LogLine,
    "add": Added,
    "attach": Added,
    "detach": Detached,
    "info": Infos,
    "plans": Plans,
    "remove": Removed,
    "vars": dict[str, str],
    "credentials show": Users,
    "credentials rotate": Rotated,
    "access add": Granted,
    "access remove": Revoked,
    "access list": Access,
    "audit": AuditLine,
    "config show": Settings,
    "config set": Changed,
    "config reset": Changed,
    "restart": Changes,
    "scale": Changes,
    "upgrade": Changes,
    "stop": Instances,
    "start": Instances,
    "an error": Failure,
}
"""What each command prints; `run`, `connect` and `worker` print what they run. The others have it in their guides."""

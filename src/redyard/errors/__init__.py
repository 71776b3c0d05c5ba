"""Every error of Redyard: what it means, what to do next, and the exit status of the command that meets it.

A class is a row of the table: its docstring is the meaning, `text` what happened (with the value), `hint` what to
do next, `status` the exit status. 1 is a fault of ours, 2 a wrong command line, 10-19 the yard, 20-29 what was
asked for, 30-39 the engine, 40-49 the machine, 100-109 servers and platforms (`errors/servers.py`), 110-119 what a
doctor found, 66 and 67 what comes from outside (`errors/doors.py`), others from 50 on the kit.
"""

from collections.abc import Mapping

from redyard.errors.base import RedyardError as RedyardError
from redyard.errors.doors import AuthorityUnusable as AuthorityUnusable, YardBusy as YardBusy
from redyard.errors.servers import (
    AddressUnusable as AddressUnusable,
    CommandRefused as CommandRefused,
    LoginRefused as LoginRefused,
    NotAttachable as NotAttachable,
    NotEmptied as NotEmptied,
    NotOurs as NotOurs,
    SettingRefused as SettingRefused,
    SettingUnsafe as SettingUnsafe,
    Unreachable as Unreachable,
    UnusableHere as UnusableHere,
)

# ---- the command line


class Usage(RedyardError):
    """The command line cannot be understood."""

    status = 2
    text = "{problem}"
    hint = "See `{command} --help`."


# ---- the yard


class YardNotRunning(RedyardError):
    """No yard process runs for this directory."""

    status = 10
    text = "no yard is running in {home}"
    hint = "Start it with `redyard up --detach`, or name another directory in REDYARD_HOME."


class YardAlreadyRunning(RedyardError):
    """Another process already runs this directory's yard."""

    status = 11
    text = "a yard is already running in {home} (process {pid})"
    hint = "Use it as it is, or end it with `redyard down`."


class YardNotWritable(RedyardError):
    """The yard's directory cannot be made, read or written."""

    status = 12
    text = "the yard's directory {home} cannot be used: {reason}"
    hint = "Give yourself the right to write it, or name another directory in REDYARD_HOME."


class YardTooNew(RedyardError):
    """The directory was written by a newer Redyard."""

    status = 13
    text = "the yard in {home} has format {format}; this Redyard reads formats up to {known}"
    hint = "Upgrade Redyard: `pip install --upgrade redyard`."


class YardSilent(RedyardError):
    """The yard's process holds its directory but does not answer."""

    status = 14
    text = "the yard in {home} did not answer within {seconds:g} s"
    hint = "Look at {home}/yard.log. If its process hangs, end it: engines go on, and `redyard up` adopts them."


class RuntimeUnsafe(RedyardError):
    """The directory for sockets belongs to somebody else or is open to others, or its path is too long for a socket."""

    status = 15
    text = "the socket directory {path} cannot be used: {reason}"
    hint = "Name a short directory of your own in REDYARD_RUNTIME."


class YardDied(RedyardError):
    """The yard ended while it started."""

    status = 16
    text = "the yard in {home} ended with status {exit_status} while it started; its last lines:\n{log}"
    hint = "Mend what the last line says, then `redyard up`."


class StateUnreadable(RedyardError):
    """A file of the yard is not what Redyard wrote."""

    status = 17
    text = "{path} cannot be read: {reason}"
    hint = "Put the file back from a copy. The data of the engine beside it are untouched."


class YardBroke(RedyardError):
    """The yard's process ended, or its socket refused us, in the middle of a call."""

    status = 18
    text = "the yard in {home} broke off while it did {call}: {reason}"
    hint = "`redyard up --detach` starts it again, and it removes what was half made; then look at `redyard status`."


# ---- what was asked for


class UnknownPlan(RedyardError):
    """The plan is not in the table."""

    status = 20
    text = "there is no plan {plan!r}"
    hint = "Choose one of: {plans}."


class UnknownRole(RedyardError):
    """The role is not in the table."""

    status = 21
    text = "there is no role {role!r}"
    hint = "Choose one of: {roles}."


class NameTaken(RedyardError):
    """Another add-on or instance has that name."""

    status = 22
    text = "the name {name!r} is taken by {owner}"
    hint = "Choose another with --name, or remove that one: `redyard remove {owner} --confirm {owner}`."


class BadName(RedyardError):
    """The name cannot be used for an add-on."""

    status = 23
    text = "{name!r} cannot be a name"
    hint = "Use 1 to 40 of a-z, 0-9 and '-', the first a letter, the last no '-'."


class UnknownName(RedyardError):
    """No add-on and no instance has that name."""

    status = 24
    text = "nothing here is named {name!r}"
    hint = "Known: {known}. `redyard status` lists them."


class NameNeeded(RedyardError):
    """Several add-ons or instances are there, and the command was not told which."""

    status = 25
    text = "which one? There are several: {known}"
    hint = "Name one of them; `redyard run` takes it as --name NAME."


class NotConfirmed(RedyardError):
    """A command that destroys data was not confirmed by the name."""

    status = 26
    text = "{name!r} was not removed: it was not confirmed"
    hint = "Repeat the name: `redyard remove {name} --confirm {name}`. `--dry-run` says what would go."


class NoAddon(RedyardError):
    """The yard has no add-on yet."""

    status = 27
    text = "there is no add-on in {home} yet"
    hint = "Add one: `redyard add redis`."


class DoesNotFit(RedyardError):
    """The data of a store are larger than the plan that it shall have."""

    status = 28
    text = "{name} holds {used} and would have {limit} in the plan {plan}: a store drops nothing"
    hint = "Choose a larger plan, or remove what is not needed first. `redyard plans` lists them."


class WouldEvict(RedyardError):
    """A cache would drop keys in the plan that it shall have."""

    status = 29
    text = "{name} holds {used} and would have {limit} in the plan {plan}: about {keys} of its keys would be dropped"
    hint = "If they may go, say so: `redyard scale {name} {plan} --evict`."


# ---- the engine


class NoEngine(RedyardError):
    """No engine was found on this machine."""

    status = 30
    text = "no engine was found: {tried}"
    hint = "Install the embedded one: `pip install 'redyard[addon]'`; or name one in REDYARD_ENGINE."


class EngineUnusable(RedyardError):
    """The program named as the engine cannot be run, is no engine, or is too old."""

    status = 31
    text = "{path} cannot be the engine: {reason}"
    hint = "Redyard runs Valkey, and Redis from 7.0 on. Name another in REDYARD_ENGINE."


class EngineDied(RedyardError):
    """The engine ended while it started."""

    status = 32
    text = "the engine of {name} ended while it started; its last lines:\n{log}"
    hint = "Mend what the last line says, then `redyard start {name}`. The whole log: {path}"


class EngineSilent(RedyardError):
    """The engine runs but did not answer in time."""

    status = 33
    text = "the engine of {name} did not answer within {seconds:g} s"
    hint = "It may be loading a large file or be stopped: `redyard status`. Its log: {path}"


class DirectoryBusy(RedyardError):
    """Another process holds the lock of an engine's data directory."""

    status = 34
    text = "the directory {path} is in use by {holder}"
    hint = "One directory has one engine. End that process if it is yours, or wait until it has ended."


class EngineWillNotStop(RedyardError):
    """The engine was asked to stop and did not within the time."""

    status = 35
    text = "the engine of {name} (process {pid}) has not stopped within {seconds:g} s; its last lines:\n{log}"
    hint = "It saves before it ends and does not end when it cannot. Free disk space, then `redyard stop {name}`."


class PortInUse(RedyardError):
    """Another program listens on the port."""

    status = 36
    text = "port {port} of {name} is in use by another program"
    hint = "End that program (`lsof -i :{port}` names it) and start {name} again, or add it with another --port."


class NoPortFree(RedyardError):
    """Every port of the range is taken."""

    status = 37
    text = "no port of {first}-{last} is free"
    hint = "Name another range in REDYARD_PORTS, such as 18000-18999."


class NotRunning(RedyardError):
    """The instance's engine does not run."""

    status = 38
    text = "{name} does not run: it is {phase}"
    hint = "`redyard start {name}` starts it; `redyard info {name}` says why it stands still."


class MoveFailed(RedyardError):
    """A new engine could not take an old one's place; the old one serves on and nothing was lost."""

    status = 39
    text = "{name} was not moved: {reason}"
    hint = (
        "The old engine serves on, with all its data. Mend the reason and try again; {name}'s log is in `redyard info`."
    )


class PauseNeeded(RedyardError):
    """The new engine cannot follow the old one: it must read a copy of its log while nobody writes."""

    status = 46
    text = "{new} cannot follow {old}: writes to {name} would pause for about {seconds:.1f} s while it reads the log"
    hint = "If the app can bear that, add --pause. Reads go on meanwhile, and nothing is lost."


# ---- the machine


class DiskFull(RedyardError):
    """The disk has no room."""

    status = 40
    text = "no room on the disk for {path}"
    hint = "Free some space there, then try again. Nothing half-made was left behind."


class MissingExtra(RedyardError):
    """What was asked for needs packages that are not installed."""

    status = 41
    text = "this needs the extra {extra!r} ({package} is not installed)"
    hint = "Install it: `pip install 'redyard[{extra}]'`."


class CommandNotFound(RedyardError):
    """The command given to `redyard run` cannot be run."""

    status = 42
    text = "{command!r} cannot be run: {reason}"
    hint = "Check its name and your PATH: `redyard run -- COMMAND`."


class InvalidSetting(RedyardError):
    """A setting in the environment has a value that cannot be used."""

    status = 43
    text = "{name}={value!r} cannot be used: {reason}"
    hint = "Expected: {expected}."


class InvalidValue(RedyardError):
    """A size, time span or moment is written in a way that cannot be read."""

    status = 44
    text = "{value!r} is no {kind}"
    hint = "Write it like {example}."


class NoMemory(RedyardError):
    """The machine has not the memory or the disk for what was asked."""

    status = 45
    text = "{name} needs {needed} of {what} for this, and the machine has {free} free"
    hint = "Free some, or choose a smaller plan. `--dry-run` shows what would be needed."


class MomentUnknown(RedyardError):
    """The moment that was asked for cannot be restored."""

    status = 78
    text = "{at} cannot be restored: {known}"
    hint = "`redyard backups list` shows the moments that can be."


class StorageBroken(RedyardError):
    """The storage of backups refused, failed, or does not have what it should."""

    status = 79
    text = "the storage {storage} failed at {name}: {reason}"
    hint = "Backups go on in the spool meanwhile. Mend the storage; what waits is put there by itself."


class FollowRefused(RedyardError):
    """A server does not let a replica follow it."""

    status = 80
    text = "the server cannot be followed: {reason}"
    hint = "Its user needs +psync +replconf +ping. Where replication is shut off, backups are made by reading the keys."


class BackupDamaged(RedyardError):
    """An object in the storage of backups is not what was put there."""

    status = 81
    text = "the backup {name} is damaged: {reason}"
    hint = "Moments that do not need it can be restored: `redyard backups list`. A copy of it, put back, mends it."


class SpoolFull(RedyardError):
    """What waits for the storage of backups has used up the room that it may take."""

    status = 82
    text = "{size} of backups wait in {path}: more may not"
    hint = "Mend the storage; what waits is put there by itself. Moments from here on are missing until then."


class TargetNotEmpty(RedyardError):
    """What shall take a restored state has data of its own."""

    status = 83
    text = "{target} is not empty: {found}"
    hint = "Name one that is. To put a state in the place of another: `redyard backups restore NAME --over`."


class NotRestored(RedyardError):
    """A moment could not be made again; what was begun was removed."""

    status = 84
    text = "{at} of {name} was not restored: {reason}"
    hint = "Nothing was changed. `redyard backups verify {name}` says which backups are whole."


class NotProved(RedyardError):
    """A restored state is not what it should be."""

    status = 96
    text = "the backups of {name} were not proved: {reason}"
    hint = "Take a new base at once (`redyard backups capture {name} --base`), and keep what is there for a look."


class BadBackupKey(RedyardError):
    """A key of encrypted backups is missing, unreadable or another one's."""

    status = 97
    text = "{name} cannot be used: {reason}"
    hint = "REDYARD_BACKUPS_RECIPIENT is age's public key, REDYARD_BACKUPS_IDENTITY the file with the secret one."


class PrimaryRefused(RedyardError):
    """A server cannot be filled as our replica."""

    status = 98
    text = "the target cannot follow us: {reason}"
    hint = "It must reach this machine, and its user must be allowed REPLICAOF. Plain commands are the other way."


class NoBackups(RedyardError):
    """There are no backups under that name."""

    status = 99
    text = "there are no backups of {name}: {reason}"
    hint = "The yard backs up every store; name one, or a storage (a directory, s3://BUCKET/PATH)."


# ---- the kit


class InvalidURL(RedyardError):
    """The address of a Redis cannot be used."""

    status = 50
    text = "{url!r} is no address of a Redis: {reason}"
    hint = "Write it like redis://USER:PASSWORD@HOST:PORT/DB (rediss:// for TLS), special characters as %XX."


class NoURL(RedyardError):
    """The environment names no Redis."""

    status = 51
    text = "no Redis is named: {problem}"
    hint = "{advice}"


class RedisAway(RedyardError):
    """Redis cannot be reached, or did not answer within the deadline; a command that was sent may have run."""

    status = 52
    text = "Redis did not answer {owner}: {reason}"
    hint = "Look at `redyard status`, or at the server that REDIS_URL names."


class EvictingServer(RedyardError):
    """The server may throw away keys that must not be lost."""

    status = 53
    text = "{owner} must not be on this server: its maxmemory-policy {policy} throws keys away when memory is full"
    hint = "Use the store (REDIS_URL) with maxmemory-policy noeviction; or say allow_eviction=True and accept the loss."


class ServerTooOld(RedyardError):
    """The server lacks what a part of the kit needs."""

    status = 54
    text = "{owner} needs Valkey, or Redis {minimum} or newer; this is {engine} {version}"
    hint = "Upgrade the server, or use the one of `redyard add redis`."


class BadKey(RedyardError):
    """A part of a key's name cannot be used."""

    status = 55
    text = "{part!r} cannot be the {name} of a key: {reason}"
    hint = "Use 1 to 256 printable characters; ':' separates the parts of a key."


class NotJSON(RedyardError):
    """A value cannot be written as JSON."""

    status = 56
    text = "{what} cannot be written as JSON: {reason}"
    hint = "Use dicts with text keys, lists, text, numbers, booleans and None, or types that msgspec knows."


class JobFailed(RedyardError):
    """The job whose result was awaited has failed for good."""

    status = 57
    text = "job {id} ({name}) failed: {reason}"
    hint = "Its attempts are used up. The job keeps its stack traces until it is removed."


class ResultLate(RedyardError):
    """The job has not finished within the time; it goes on."""

    status = 58
    text = "job {id} ({name}) has not finished within {seconds:g} s"
    hint = "It is not cancelled. Ask again later, or see whether a worker runs for its queue."


class UnknownJob(RedyardError):
    """The queue has no such job (any more)."""

    status = 59
    text = "the queue {queue} has no job {id}"
    hint = "Finished jobs are removed beyond remove_on_complete and remove_on_fail; raise these to keep more."


class Unrecoverable(RedyardError):
    """A job's handler raises this when another attempt cannot help: the job fails at once."""

    status = 60
    text = "{problem}"
    hint = "Mend the job's data or its handler, then add the job again."


class WeakSecret(RedyardError):
    """A secret for signing cookies is missing or too short."""

    status = 61
    text = "the secret for {owner} has {length} characters"
    hint = 'Use at least {shortest}, such as `python -c "import secrets; print(secrets.token_urlsafe(32))"` prints.'


class BadCookie(RedyardError):
    """A cookie's options contradict each other."""

    status = 62
    text = "the cookie {cookie!r} would be refused by browsers: {reason}"
    hint = "Use secure=True behind HTTPS, or a name without __Host- and same_site='lax'."


class SessionNotLoaded(RedyardError):
    """A session was used before it was loaded."""

    status = 63
    text = "the session was used before it was loaded"
    hint = "First `session = await session_of(request)`; or load every session by SessionMiddleware(..., eager=True)."


class SessionTooLarge(RedyardError):
    """A session would hold more than its store allows."""

    status = 64
    text = "the session would have {size} bytes; the limit is {limit} (its largest field is {field!r})"
    hint = "Keep large values elsewhere, by a key that the session holds; or raise SessionStore(..., largest=...)."


class NotForExpress(RedyardError):
    """Sessions in the format of Express have no such thing."""

    status = 65
    text = "format='express' has no {what}"
    hint = "Use the native format, or do without."


class LoadTimedOut(RedyardError):
    """A cached value's load took longer than its hard time-out, and there is no old value to answer with."""

    status = 68
    text = "the load of {key!r} has not ended within {seconds:g} s"
    hint = "Raise hard_timeout, or give stale_if_error so that an old value can stand in."


class BadTemplate(RedyardError):
    """A template of a cached function does not fit the function's arguments."""

    status = 69
    text = "the template {template!r} does not fit {function}: {reason}"
    hint = "Name arguments of the function in braces; it has: {arguments}."


# ---- tasks and the queue's commands


class BadTask(RedyardError):
    """A function cannot be a task: its calls cannot be written down or found again."""

    status = 85
    text = "{name} cannot be a task: {reason}"
    hint = "A task is a function of a module, its parameters have names, and types that msgspec knows."


class BadArguments(Unrecoverable):
    """A task was called with arguments that its function does not take."""

    status = 86
    text = "the task {name} cannot have these arguments: {reason}"
    hint = "Compare them with the function's signature: {signature}"


class NoHandler(RedyardError):
    """A worker has nobody who does jobs of that name."""

    status = 87
    text = "nobody does jobs named {name!r} in the queue {queue!r}"
    hint = "This worker knows: {known}. Make it a task by @queue.job, or give the worker a handler."


class ChildDied(RedyardError):
    """The process that did a job was killed or ended: only this attempt has failed."""

    status = 88
    text = "the process that did {name} ended with status {exit_status}"
    hint = "A negative status is a signal: -9 often means that memory was short. Another attempt gets a new process."


class NoQueue(RedyardError):
    """The words MODULE:QUEUE name no queue."""

    status = 89
    text = "{target!r} names no queue: {reason}"
    hint = "Write MODULE:QUEUE, such as app.jobs:queue, and run it where `import MODULE` works."


class QueueBusy(RedyardError):
    """A queue with active jobs cannot be obliterated."""

    status = 90
    text = "the queue {queue!r} has {active} active jobs"
    hint = "Stop its workers and try again; or use force: their work is lost."


class UnknownQueue(RedyardError):
    """The server has no queue of that name."""

    status = 91
    text = "there is no queue {queue!r} on this server"
    hint = "Known: {known}. `redyard queues list` lists them."


class JobTooLarge(RedyardError):
    """A job's data are larger than the queue takes."""

    status = 70
    text = "the data of a job {name!r} have {size} bytes; the queue {queue} takes {limit}"
    hint = "Put the data elsewhere and their address into the job, or raise size_limit."


class BadFlow(RedyardError):
    """A flow of jobs cannot be: a cycle, a parent that does not exist, or queues in several slots of a cluster."""

    status = 71
    text = "the flow of {name} cannot be added: {reason}"
    hint = "A flow is a tree of jobs whose queues are one, or have one hash tag (a word in braces) in their names."


class BadSchedule(RedyardError):
    """A schedule cannot be understood or would never run."""

    status = 72
    text = "the schedule {id!r} cannot be used: {reason}"
    hint = "Say either every=SECONDS or cron='MINUTE HOUR DAY MONTH WEEKDAY', and a time zone such as Europe/Berlin."


class ServerFull(RedyardError):
    """The server's memory is full: it takes no more jobs until workers have drained some."""

    status = 73
    text = "the queue {queue} takes no jobs: the server's memory is full"
    hint = "Let workers drain it, remove finished jobs (remove_on_complete), or use a larger plan."


class RateLimited(RedyardError):
    """A job's handler raises this when what it calls wants no more for now: the job goes back, no attempt counted."""

    status = 74
    text = "no more jobs for {seconds:g} s"
    hint = "The queue goes on by itself."


class WaitForChildren(RedyardError):
    """A job's handler raises this when it added children: the job is put aside until they have ended."""

    status = 75
    text = "the job waits for its children"
    hint = "It runs again, with their results, when they have ended."


class DeadlinePassed(RedyardError):
    """An attempt at a job took longer than the job's deadline."""

    status = 76
    text = "the attempt took longer than {seconds:g} s"
    hint = "Raise the job's deadline, or make it smaller."


class JobCancelled(RedyardError):
    """The job was cancelled."""

    status = 77
    text = "{reason}"
    hint = "Nobody tries it again. Add another job if it was a mistake."


class QueueNotConfirmed(RedyardError):
    """A command that removes jobs was not confirmed by the queue's name."""

    status = 92
    text = "nothing was done to the queue {name!r}: {action} was not confirmed"
    hint = "Repeat the name: `redyard queues {action} {name} --confirm {name}`. `--dry-run` says what would go."


# ---- what a doctor found


class FoundWarnings(RedyardError):
    """The doctor found something that is to be mended, and nothing worse."""

    status = 110
    text = "{target}: {count} findings at warning"
    hint = "Each finding has its remedy: `redyard doctor`."


class FoundCritical(RedyardError):
    """The doctor found that the server cannot do its work, or may lose data."""

    status = 111
    text = "{target}: {count} findings at critical"
    hint = "Each finding has its remedy, the worst first: `redyard doctor`."


class NoChannel(RedyardError):
    """There is nowhere to send an alert."""

    status = 94
    text = "no channel for alerts is set"
    hint = "Set REDYARD_ALERTS to URLs of Apprise, such as slack://... or mailto://..., and restart the yard."


class AlertUndelivered(RedyardError):
    """A channel refused a test message."""

    status = 95
    text = "{channels} did not take the message"
    hint = "Check the URL in REDYARD_ALERTS, the network and the channel's rights."


def _rows(root: type[RedyardError]) -> list[type[RedyardError]]:
    found = [root] if root is not RedyardError else []
    for child in root.__subclasses__():
        found += _rows(child)
    return found


def table() -> list[type[RedyardError]]:
    """Return every error of this module by exit status: the generated reference page and the tests read it."""
    return sorted(
        (row for row in _rows(RedyardError) if row.__module__.startswith(__name__)), key=lambda row: row.status
    )


def revive(payload: Mapping[str, object]) -> RedyardError:
    """Make the error again that the yard's API answered with."""
    details = payload.get("details")
    for row in table():
        if row.__name__ == payload.get("error") and isinstance(details, dict):
            return row(**details)
    return RedyardError(problem=str(payload.get("message", "the yard answered with an unknown error")))

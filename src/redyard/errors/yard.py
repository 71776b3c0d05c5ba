"""Errors of the yard and of what was asked of it: its directory, its process, plans, names and confirmations."""

from redyard.errors.base import RedyardError


class Usage(RedyardError):
    """The command line cannot be understood."""

    status = 2
    text = "{problem}"
    hint = "See `{command} --help`."


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

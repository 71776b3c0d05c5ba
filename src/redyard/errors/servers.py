"""Errors about servers: those that are attached, their settings, and the variables by which an app finds them."""

from redyard.errors.base import RedyardError


class NotAttachable(RedyardError):
    """What answers at the address is no server that can be used."""

    status = 100
    text = "{url} cannot be attached: {reason}"
    hint = "{advice}"


class Unreachable(RedyardError):
    """Nothing answers at the address of a server."""

    status = 101
    text = "{url} cannot be reached: {reason}"
    hint = "Check the host, the port, and whether a firewall or a private network is between; then try again."


class LoginRefused(RedyardError):
    """The server does not accept the user or the password."""

    status = 102
    text = "{url} refuses the login: {reason}"
    hint = "Copy the whole address again where the server's owner shows it; special characters are written as %XX."


class NotOurs(RedyardError):
    """The instance is attached: its engine belongs to somebody else."""

    status = 103
    text = "{name} is attached: to {action} it is up to whoever runs it"
    hint = "`redyard detach {name}` forgets it and touches nothing there."


class UnusableHere(RedyardError):
    """The variable that names Redis has a value that cannot work where the process runs."""

    status = 104
    text = "{variable} {problem}"
    hint = "{advice}"


class AddressUnusable(RedyardError):
    """An engine must not or cannot listen on the address."""

    status = 105
    text = "an engine cannot listen on {address}: {reason}"
    hint = "Name one of this machine: on loopback or a private network (10.x, 192.168.x, fd..::), or with --tls any."


class SettingRefused(RedyardError):
    """The engine's setting does not exist, is not to be changed, or does not take the value."""

    status = 106
    text = "{setting} {value!r} of {name} was not set: {reason}"
    hint = "`redyard config show {name}` lists the settings. Nothing was changed."


class SettingUnsafe(RedyardError):
    """The value would lose what the add-on promises to keep."""

    status = 107
    text = "{setting} {value!r} of {name} was not set, since it loses {loss}"
    hint = "It has {ours!r} because: {why} `--force` sets yours all the same."


class CommandRefused(RedyardError):
    """The server answered the command of `redyard connect` with an error."""

    status = 108
    text = "{name} refuses {command}: {reason}"
    hint = "The user was {user!r}. `--app` has an app's rights, `--admin` all."


class NotEmptied(RedyardError):
    """A command that empties an instance was not confirmed by the name."""

    status = 109
    text = "{name} was not emptied: it was not confirmed"
    hint = "Repeat the name: `redyard connect {name} --admin --confirm {name} -- FLUSHALL`. Nothing brings data back."

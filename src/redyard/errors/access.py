"""Errors about who is let in: passwords, apps with users of their own, and the trail of what was done."""

from redyard.errors.base import RedyardError


class UnknownUser(RedyardError):
    """The engine has no such user."""

    status = 3
    text = "{name} has no user {user!r}"
    hint = "It has: {known}."


class StillUsed(RedyardError):
    """Connections still use the old password, so that it was not removed."""

    status = 4
    text = "after {seconds:g} s the old password of {name} is still used by {clients}"
    hint = (
        "Both passwords count. Have those clients connect again with what `redyard vars` prints, then "
        "`redyard credentials rotate {name} --user {user}` goes on; with --now it closes their connections."
    )


class AppTaken(RedyardError):
    """The app has a user of its own already, or its name is one of the engine's users."""

    status = 5
    text = "{name} already has a user {app!r}"
    hint = "Choose another name, or take that one back first: `redyard access remove {name} {app}`."


class UnknownApp(RedyardError):
    """The app has no user of its own."""

    status = 6
    text = "{name} has no user for an app {app!r}"
    hint = "`redyard access list {name}` shows who has; `redyard access add {name} {app}` makes one."


class BadApp(RedyardError):
    """An app cannot be called that."""

    status = 7
    text = "{app!r} is no name for an app"
    hint = "Use 1 to 40 of a-z, 0-9 and -, beginning with a letter."


class BadPrefix(RedyardError):
    """A user cannot be bound to that pattern."""

    status = 8
    text = "the prefix {prefix!r} cannot be used: {reason}"
    hint = "Write what the keys begin with and a star, such as 'shop:*'; give --prefix several times for several."


class NotAudited(RedyardError):
    """The trail of what was done cannot be read."""

    status = 9
    text = "the audit trail {path} cannot be read: {reason}"
    hint = "It is its owner's alone: ask as the user who runs the yard."


class UnknownTemplate(RedyardError):
    """There is no such template of rights."""

    status = 19
    text = "there is no template {template!r}"
    hint = "Choose one of: {known}."

"""Errors about backups: servers that refuse replicas, and targets that refuse keys."""

from redyard.errors.base import RedyardError


class CannotFollow(RedyardError):
    """A server lets nobody follow it, as a replica does: hosted ones often do not."""

    status = 120
    text = "the server lets nobody follow it: {reason}"
    hint = "Its keys are read instead, now and then (`--every`): then these moments can be restored, and none between."


class CannotRead(RedyardError):
    """The keys of a server cannot be read for a snapshot."""

    status = 121
    text = "the server's keys cannot be read: {reason}"
    hint = "Its user needs ~* and +scan +dump +pttl +select +info, and for all of it +multi +exec +function|list."


class TargetRefused(RedyardError):
    """What shall take a restored state did not take all of it; what it took was removed again."""

    status = 122
    text = "{target} did not take the moment: {reason}"
    hint = "Nothing of it was left there. Give it the room or the right that it names, or choose another target."

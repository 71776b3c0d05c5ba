"""Errors of looking at servers: what `redyard health` and the history answer."""

from redyard.errors.base import RedyardError


class Unhealthy(RedyardError):
    """A server, or a check that the app cannot do without, is not healthy."""

    status = 125
    text = "{name} is not healthy: {reason}"
    hint = "`redyard doctor {name}` names the cause and the remedy."


class NoHistory(RedyardError):
    """The yard's history holds nothing of the instance in that time."""

    status = 112
    text = "there is no history of {name} of the last {span}"
    hint = "The yard writes it while it runs: `redyard up`. Ask again when it has run for some minutes."

"""What a doctor found, and alerts that reach nobody."""

from redyard.errors.base import RedyardError


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

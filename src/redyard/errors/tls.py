"""Errors about encryption: certificates, the edge that terminates TLS, and instances that have none."""

from redyard.errors.base import RedyardError


class CertificateBroken(RedyardError):
    """A file with a certificate cannot be read, or holds none."""

    status = 47
    text = "the certificate {path} cannot be used: {reason}"
    hint = "`redyard tls renew NAME` makes an instance's anew. An authority's comes from a backup of the yard."


class NotEncrypted(RedyardError):
    """The instance speaks plain, so it has no certificate."""

    status = 48
    text = "{name} has no TLS"
    hint = "`redyard tls enable {name}` gives it to one that runs; `redyard add redis --tls` makes one that has."


class EdgeDied(RedyardError):
    """The process that terminates TLS did not start."""

    status = 49
    text = "the edge of {name} did not start: {log}"
    hint = "Its log is {path}. `redyard start {name}` tries again."


class DoorStuck(RedyardError):
    """TLS could not be switched on or off; clients come in as before."""

    status = 116
    text = "how clients come in to {name} could not be changed: {reason}"
    hint = "All is as it was. `redyard logs {name}` says more; then try `redyard tls` again."

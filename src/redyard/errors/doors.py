"""Errors about what comes in from outside: certificates that are named, and the yard's own door."""

from redyard.errors.base import RedyardError


class AuthorityUnusable(RedyardError):
    """The file that should hold an authority's certificate cannot be read, or holds none."""

    status = 66
    text = "the authority's certificate {path} cannot be used: {reason}"
    hint = "Name a file in PEM form (-----BEGIN CERTIFICATE-----) in --ca-file, REDIS_CA_FILE or ?ssl_ca_certs=."


class YardBusy(RedyardError):
    """More calls came to the yard than it takes; it goes on watching its engines meanwhile."""

    status = 67
    text = "the yard was asked too often: try again in {seconds:.3g} s"
    hint = "Something calls `redyard` in a loop. A program that wants figures reads `redyard metrics` once in a while."

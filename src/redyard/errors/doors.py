"""Errors about what comes in from outside: certificates that are named, and the yard's own door."""

from redyard.errors.base import RedyardError


class AuthorityUnusable(RedyardError):
    """The file that should hold an authority's certificate cannot be read, or holds none."""

    status = 67
    text = "the authority's certificate {path} cannot be used: {reason}"
    hint = "Name a file in PEM form (-----BEGIN CERTIFICATE-----) in --ca-file, REDIS_CA_FILE or ?ssl_ca_certs=."

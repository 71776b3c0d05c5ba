"""The version of Redyard, in one place: the package, the yard's files and `redyard version` read it here."""

VERSION = "0.1.0"

"""How an instance with TLS lets clients in: by its engine where that can, else by an edge; and with which files."""

from pathlib import Path

from redyard.engine.find import Engine
from redyard.yard import addresses
from redyard.yard.authority import Authority, Papers
from redyard.yard.registry import Registry
from redyard.yard.spec import Encryption, Spec

OLDEST = "TLSv1.2 TLSv1.3"
"""The versions of TLS that engines accept; edges do the same."""


def way(engine: Engine, spec: Spec | None = None) -> Encryption:
    """Return who speaks TLS; an edge that is there already stays, whatever a later engine can."""
    return "engine" if engine.tls and not (spec and spec.tls == "edge") else "edge"


def authority(registry: Registry) -> Authority:
    """Return the yard's authority."""
    return Authority(registry.home.authorities)


def papers(directory: Path) -> Papers:
    """Return where the files of an instance are, by its directory."""
    return Authority(directory.parents[1] / "tls").papers(directory)


def equip(registry: Registry, spec: Spec, *, renew: bool = False) -> bool:
    """Make the certificates that an instance lacks, or that are due; say whether anything changed."""
    hosts = {addresses.reachable(spec.bind), *addresses.names(spec.bind)}
    return authority(registry).equip(papers(registry.directory(spec.name)), spec.name, hosts, renew=renew)


def directives(files: Papers, spec: Spec, *, listens: bool = True) -> dict[str, str]:
    """Return an engine's own settings for TLS; none where it does not speak it."""
    if spec.tls != "engine":
        return {}
    port = {"tls-port": str(spec.port)} if listens else {}
    return {**port, **certificates(files, spec), "tls-protocols": OLDEST}


def certificates(files: Papers, spec: Spec) -> dict[str, str]:
    """Return those settings that name files: set again, they are read again, for the connections to come."""
    return {
        "tls-cert-file": str(files.server),
        "tls-key-file": str(files.server),
        "tls-ca-cert-file": str(files.authorities),
        "tls-auth-clients": "yes" if spec.tls_clients else "no",
    }


def variables(spec: Spec, files: Papers) -> dict[str, str]:
    """Return the variables that name what an app needs for TLS."""
    if not spec.tls:
        return {}
    own = {"REDIS_CERT_FILE": str(files.client), "REDIS_KEY_FILE": str(files.client)} if spec.tls_clients else {}
    return {"REDIS_CA_FILE": str(files.authorities), **own}

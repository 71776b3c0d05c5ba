"""`redyard tls`: encryption switched on and off, and certificates, which the yard makes anew long before they end."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.progress import moving
from redyard.cli.yard import calls, names
from redyard.errors import Usage

EXAMPLES = (
    "redyard tls show",
    "redyard tls enable redis",
    "redyard tls enable redis --now",
    "redyard tls renew redis",
    "redyard tls disable redis-cache",
)


class Action(StrEnum):
    """What is done with encryption, named as it is typed."""

    SHOW = "show"
    ENABLE = "enable"
    DISABLE = "disable"
    RENEW = "renew"


def tls(
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="show|enable|disable|renew", help="What to do.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ] = None,
    *,
    authority: Annotated[
        bool, typer.Option("--authority", help="With renew: the next authority, too; it signs in 30 days.")
    ] = False,
    clients: Annotated[
        bool | None,
        typer.Option("--clients/--no-clients", help="With enable: clients must show a certificate, or need not."),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="With enable: close the plain connections.")] = False,
) -> None:
    """Switch TLS on or off, show certificates, or make them anew.

    `enable` changes the port from one moment to the next: whoever comes in from then on speaks TLS. Connections that
    are there stay, plain, so that no command fails; they are named until they have gone, and --now closes them. The
    apps then need the new variables: `redyard vars` says rediss:// and names the authority (REDIS_CA_FILE).

    The yard makes a certificate anew when two thirds of its 90 days are over, and the authority likewise, which apps
    trust for 30 days before it signs. To renew closes no connection: those that come get the new certificate.
    """
    if action is not Action.SHOW and name is None:
        raise Usage(problem=f"`tls {action}` takes NAME", command="redyard tls")
    if authority and action is not Action.RENEW:
        raise Usage(problem="--authority belongs to `tls renew`", command="redyard tls")
    if (now or clients is not None) and action is not Action.ENABLE:
        raise Usage(problem="--clients and --now belong to `tls enable`", command="redyard tls")
    yard = calls()
    if action is Action.SHOW:
        out.show(yard.certificates(name), "tls_views:certificates")
    elif action is Action.RENEW:
        out.show(yard.renew(str(name), authority=authority), "tls_views:certificates")
    elif action is Action.DISABLE:
        out.show(yard.disable_tls(str(name)), "tls_views:disabled")
    else:
        with moving(out, f"Encrypting {name}", yard):
            answer = yard.enable_tls(str(name), clients=clients, now=now)
        out.show(answer, "tls_views:enabled")

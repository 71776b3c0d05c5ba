"""`redyard tls`: the certificates of instances; the yard makes them anew by itself long before they end."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names
from redyard.errors import Usage

EXAMPLES = ("redyard tls show", "redyard tls show redis-store", "redyard tls renew redis")


class Action(StrEnum):
    """What is done with certificates, named as it is typed."""

    SHOW = "show"
    RENEW = "renew"


def tls(
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="show|renew", help="What to do.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ] = None,
    *,
    authority: Annotated[
        bool, typer.Option("--authority", help="With renew: the next authority, too; it signs in 30 days.")
    ] = False,
) -> None:
    """Show certificates, or make them anew.

    The yard makes a certificate anew when two thirds of its 90 days are over, and the authority likewise, which apps
    trust for 30 days before it signs. To renew closes no connection: those that come get the new certificate.
    """
    if action is Action.RENEW and name is None:
        raise Usage(problem="`tls renew` takes NAME", command="redyard tls")
    if authority and action is not Action.RENEW:
        raise Usage(problem="--authority belongs to `tls renew`", command="redyard tls")
    if action is Action.SHOW:
        out.show(calls().certificates(name), "tls_views:certificates")
    else:
        out.show(calls().renew(str(name), authority=authority), "tls_views:certificates")

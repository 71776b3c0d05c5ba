"""What a person sees of certificates, and of who still speaks plain."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from redyard.cli.drawing import pair, plain, span, table


def certificates(data: Mapping[str, Any]) -> RenderableType:
    """Draw the certificates of instances, who is connected without TLS, and the authorities that apps trust."""
    if not data["instances"]:
        return plain("No instance has TLS: redyard add redis --tls, or redyard tls enable NAME")
    rows = table("NAME", "BY", "DAYS LEFT>", "ENDS", "FOR")
    for item in data["instances"]:
        names = ", ".join(item["names"])
        rows.add_row(item["name"], item["encryption"], f"{item['days_left']:.0f}", item["ends"], names)
    authorities = [
        pair(f"{item['name']}{'' if item['signs'] else ' (known, signs later or no more)'}", f"until {item['ends']}")
        for item in data["authorities"]
    ]
    left = [_left(item["name"], one) for item in data["instances"] for one in item["plain"]]
    return Group(rows, *left, *authorities, pair("trust", data["authorities"][0]["file"]))


def enabled(data: Mapping[str, Any]) -> RenderableType:
    """Draw the same after TLS was switched on, and what is to do next."""
    closed = [plain(f"Plain connections closed: {data['closed']}.")] if data["closed"] else []
    next_step = "Start the apps again with what `redyard vars` prints now: the address is rediss://."
    return Group(certificates(data), *closed, plain(next_step))


def disabled(data: Mapping[str, Any]) -> RenderableType:
    """Draw where TLS was switched off, and what is to do next."""
    names = ", ".join(item["name"] for item in data["instances"])
    return plain(f"{names}: no TLS any more. Start the apps again with what `redyard vars` prints now.")


def _left(name: str, one: Mapping[str, Any]) -> Text:
    who = f"{one['name'] or 'a client without a name'} at {one['address']}, for {span(one['age'])}, as {one['user']}"
    return Text(f"  {name}: still plain: {who}", style="yellow")

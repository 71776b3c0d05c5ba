"""What a person sees of certificates."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType

from redyard.cli.drawing import pair, plain, table


def certificates(data: Mapping[str, Any]) -> RenderableType:
    """Draw the certificates of instances, and the authorities that apps trust."""
    if not data["instances"]:
        return plain("No instance has TLS: redyard add redis --tls")
    rows = table("NAME", "BY", "DAYS LEFT>", "ENDS", "FOR")
    for item in data["instances"]:
        names = ", ".join(item["names"])
        rows.add_row(item["name"], item["encryption"], f"{item['days_left']:.0f}", item["ends"], names)
    authorities = [
        pair(f"{item['name']}{'' if item['signs'] else ' (known, signs later or no more)'}", f"until {item['ends']}")
        for item in data["authorities"]
    ]
    return Group(rows, *authorities, pair("trust", data["authorities"][0]["file"]))

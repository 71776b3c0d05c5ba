"""What a person sees of users, passwords and the audit trail."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from redyard.cli.drawing import pair, plain, span, table

Data = Mapping[str, Any]


def credentials(data: Data) -> RenderableType:
    """Draw the users of instances."""
    parts: list[RenderableType] = []
    for instance in data["instances"]:
        rows = table("USER", "PASSWORD", "SINCE", "CONNECTIONS>", "OLD PASSWORD", "FOR")
        for user in instance["users"]:
            old = user["old_password"]
            told = "-" if old is None else f"counts too: {old['connections']} connections"
            rows.add_row(user["user"], user["password"], user["since"], str(user["connections"]), told, user["purpose"])
        parts += [Text(instance["name"], style="bold"), rows]
    return Group(*parts)


def rotated(data: Data) -> RenderableType:
    """Draw which passwords were exchanged, and who was refused since."""
    lines: list[RenderableType] = []
    for item in data["rotated"]:
        closed = f" Connections closed: {item['closed']}." if item["closed"] else ""
        lines.append(plain(f"{item['name']}: new password of {', '.join(item['users'])}; no old one counts.{closed}"))
        lines += [Text(f"  refused since: {_client(one)}", style="yellow") for one in item["refused"]]
    lines.append(plain(f"It took {span(data['seconds'])}. `redyard vars` prints the new variables."))
    return Group(*lines)


def granted(data: Data) -> RenderableType:
    """Draw what an app was given, and how it gets there."""
    return Group(accesses({"access": data["instances"]}), pair("Its variables", data["variables"]))


def revoked(data: Data) -> RenderableType:
    """Draw what was taken from an app, and how to give it again."""
    app = data["app"]
    lines = [
        plain(f"{app} is no user of {item['name']} any more; connections closed: {item['connections']}.")
        for item in data["instances"]
    ]
    first = data["instances"][0]
    names = " ".join(f"--prefix '{prefix}'" for prefix in first["prefixes"])
    again = f"redyard access add {data['name']} {app} --template {first['template']} {names}".strip()
    return Group(*lines, pair("Give it again", f"{again} (with a new password)"))


def accesses(data: Data) -> RenderableType:
    """Draw the apps that have users of their own."""
    if not data["access"]:
        return plain("No app has a user of its own: redyard access add NAME APP")
    rows = table("APP", "INSTANCE", "TEMPLATE", "KEYS", "CONNECTIONS>", "SINCE")
    for item in data["access"]:
        keys = " ".join(item["prefixes"]) or ("all" if item["template"] in {"app", "read-only"} else "none")
        rows.add_row(item["app"], item["name"], item["template"], keys, str(item["connections"]), item["added_at"])
    return rows


def _client(one: Data) -> str:
    return f"{one['name'] or 'a client without a name'} at {one['address']}, {span(one['age'])} ago, as {one['user']}"

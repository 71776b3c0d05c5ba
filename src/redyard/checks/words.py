"""How checks speak: commands to paste, and the figures in them."""

from collections.abc import Iterable, Mapping

from redyard.units import format_size


def run(command: str) -> str:
    """Return a command for the server as one types it in a shell; the address stays in the environment."""
    return f'redis-cli -u "$REDIS_URL" {command}'


def setting(name: str, value: str) -> str:
    """Return the command that changes a setting now; it goes into the configuration, too, or is lost at the restart."""
    return run(f"CONFIG SET {name} {value}")


def share(part: float, whole: float) -> str:
    """Return a part as per cent."""
    return f"{100 * part / whole:.0f}%" if whole else "0%"


def size(count: float) -> str:
    """Return bytes for reading."""
    return format_size(int(count))


def who(client: Mapping[str, str]) -> str:
    """Return a client of CLIENT LIST by its name and address."""
    return f"{client.get('name') or 'unnamed'}@{client.get('addr', '')}"


def kill(client: Mapping[str, str]) -> str:
    """Return the command that cuts a client off."""
    return run(f"CLIENT KILL ID {client.get('id', 'ID')}")


def most(clients: Iterable[Mapping[str, str]], field: str) -> tuple[Mapping[str, str], int]:
    """Return the client that has most of a field of CLIENT LIST, and how much; an empty one where there is none."""
    found = max(clients, key=lambda client: int(client.get(field, 0)), default={})
    return found, int(found.get(field, 0))

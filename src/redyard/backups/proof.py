"""What was proved: when a restored state was last shown to be what it should be, written down beside the backups."""

import msgspec

from redyard.backups.storage import Storage

NAME = "proved.json"


class Proof(msgspec.Struct, frozen=True):
    """When a proof was made, of which moment, and what the state had."""

    at: float
    moment: float
    keys: dict[int, int]
    digest: str
    compared: list[str]


def last_proof(storage: Storage) -> float | None:
    """Return when the last proof was made; None where none was."""
    if NAME not in storage.names(NAME):
        return None
    try:
        return msgspec.json.decode(storage.read(NAME), type=Proof).at
    except msgspec.DecodeError:
        return None


def write_proof(storage: Storage, proof: Proof) -> None:
    """Write a proof down."""
    storage.write(NAME, msgspec.json.encode(proof))

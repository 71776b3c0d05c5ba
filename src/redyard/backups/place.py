"""Where an address of a storage leads: a directory, or an object store by its URL; encrypted where a key is named."""

from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redyard.backups.storage import Directory, Storage
from redyard.client.url import redact
from redyard.errors import MissingExtra, SecretInAddress
from redyard.settings import Settings


def open_storage(address: str, settings: Settings, *name: str) -> Storage:
    """Return the storage at an address, or the part of it that has an instance's name; raise SecretInAddress."""
    storage: Storage
    if "://" in address:
        if urlsplit(address).password is not None or urlsplit(address).query:
            raise SecretInAddress(address=redact(address.partition("?")[0]))
        storage = _optional("bucket").Bucket("/".join([address.rstrip("/"), *name]))
    else:
        storage = Directory(Path(address, *name).expanduser().absolute())
    if settings.backups_recipient or settings.backups_identity:
        keys = settings.backups_recipient, settings.backups_identity
        storage = _optional("encryption").Encrypted(storage, *keys)
    return storage


def _optional(module: str) -> Any:
    """Import a module whose package is an extra's."""
    try:
        return import_module(f"redyard.backups.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtra(extra="backups", package=error.name) from None

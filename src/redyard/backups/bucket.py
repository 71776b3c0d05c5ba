"""Backups in an object store: S3 and what speaks like it, Google's and Azure's, by obstore.

Its settings come from the environment, as those stores' own tools have them: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and
so on. An object store puts objects whole or not at all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
from obstore import store
from obstore.exceptions import BaseError, NotFoundError

from redyard.errors import StorageBroken

RETRIES: Any = {"max_retries": 3}
"""A follower tries again by itself; a person does not wait for minutes."""

CHUNK = 8 * 1024 * 1024
"""Bytes that are sent in one request; a larger object is sent in parts, as all parts of a stream are not."""

TIMEOUTS: Any = {"timeout": "60s", "connect_timeout": "5s"}


class Bucket:
    """A prefix of a bucket, named by its URL such as s3://BUCKET/PREFIX."""

    def __init__(self, url: str) -> None:
        self.address = url
        options: Any = dict(TIMEOUTS)
        if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
            options["allow_http"] = True
        with self._trying(urlsplit(url).netloc):
            self._store: Any = cast("Any", store).from_url(url, client_options=options, retry_config=RETRIES)

    def put(self, name: str, source: Path) -> None:
        """Send a file, in parts where it is large."""
        with self._trying(name):
            told = obstore.put(self._store, name, source, chunk_size=CHUNK)
        with source.open("rb") as sent:
            self._check(name, told, sent)

    def write(self, name: str, data: bytes) -> None:
        """Send a few bytes."""
        with self._trying(name):
            told = obstore.put(self._store, name, data)
        self._check(name, told, BytesIO(data))

    def read(self, name: str) -> bytes:
        """Return an object's bytes."""
        with self._trying(name):
            return bytes(obstore.get(self._store, name).bytes())

    def open(self, name: str) -> BinaryIO:
        """Open an object; it is read as it is asked for."""
        with self._trying(name):
            if obstore.head(self._store, name)["size"] == 0:
                return BytesIO()
            return cast("BinaryIO", _Reader(obstore.open_reader(self._store, name), self._trying, name))

    def names(self, prefix: str = "") -> list[str]:
        """List what is there, in order. The store lists by whole directories, so a part of a name is matched here."""
        return sorted(name for name in self.sizes() if name.startswith(prefix))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of what is there."""
        with self._trying("the list of objects"):
            return {item["path"]: item["size"] for batch in obstore.list(self._store) for item in batch}

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._trying(name):
            try:
                obstore.delete(self._store, name)
            except (NotFoundError, FileNotFoundError):
                return

    def _check(self, name: str, told: Any, sent: BinaryIO) -> None:
        """Raise StorageBroken where the store has another object than the one that was sent, and says that all is well.

        S3 answers with the MD5 of what it took. One that encrypts for itself has another tag, and is read back.
        """
        size = sent.seek(0, os.SEEK_END)
        with self._trying(name):
            same = obstore.head(self._store, name)["size"] == size
            if same and self.address.startswith("s3://") and (told["e_tag"] or "").strip('"') != _tag(sent, size):
                same = self._has(name, sent)
        if not same:
            raise StorageBroken(storage=self.address, name=name, reason="it took other bytes than were sent")

    def _has(self, name: str, sent: BinaryIO) -> bool:
        sent.seek(0)
        return all(bytes(part) == sent.read(len(part)) for part in obstore.get(self._store, name).stream())

    @contextmanager
    def _trying(self, name: str) -> Iterator[None]:
        """Translate what the store says; the first line is enough, and has no secret in it."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise StorageBroken(storage=self.address, name=name, reason=reason) from None


class _Reader:
    """An object that is read in parts; a store that fails meanwhile is named."""

    def __init__(self, reader: Any, trying: Any, name: str) -> None:
        self._reader, self._trying, self._name = reader, trying, name

    def read(self, size: int = -1) -> bytes:
        with self._trying(self._name):
            return bytes(self._reader.read(size) if size >= 0 else self._reader.read())

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()


def _tag(sent: BinaryIO, size: int) -> str:
    """Return the tag that S3 gives an object: its MD5, or that of its parts' and how many they are."""
    sent.seek(0)
    parts = [md5(part, usedforsecurity=False) for part in iter(lambda: sent.read(CHUNK), b"")]
    if size <= CHUNK:
        return (parts[0] if parts else md5(usedforsecurity=False)).hexdigest()
    return md5(b"".join(part.digest() for part in parts), usedforsecurity=False).hexdigest() + f"-{len(parts)}"

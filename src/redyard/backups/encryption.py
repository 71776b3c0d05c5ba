"""Backups that only their owner can read: each object is an age file, made for a recipient's public key.

Who writes needs the recipient only. Who restores names the file with the identity, the secret key. What lies beside an
object (its facts) stays readable: sizes, times and digests. `age -d -i KEYFILE` decrypts an object without Redyard.
"""

import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyrage
from pyrage import x25519

from redyard.backups.storage import PART, Storage
from redyard.errors import BadBackupKey, StorageBroken

SUFFIX = ".age"
READABLE = ".json"


class Encrypted:
    """A storage whose objects are encrypted on their way in and decrypted on their way out."""

    def __init__(self, inner: Storage, recipient: str, identity: str) -> None:
        self.inner = inner
        self._identity = _read_identity(identity) if identity else None
        self._recipient = _read_recipient(recipient) if recipient else None
        if self._recipient is None and self._identity is not None:
            self._recipient = self._identity.to_public()

    @property
    def address(self) -> str:
        """Say where it is."""
        return self.inner.address

    def put(self, name: str, source: Path) -> None:
        """Encrypt a file beside itself, and keep that."""
        sealed = source.with_name(f"{source.name}{SUFFIX}")
        try:
            with source.open("rb") as read, sealed.open("wb") as write:
                pyrage.encrypt_io(read, write, [cast("Any", self._recipient)])
            self.inner.put(f"{name}{SUFFIX}", sealed)
        finally:
            sealed.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        """Keep the facts as they are."""
        self.inner.write(name, data)

    def read(self, name: str) -> bytes:
        """Return the facts."""
        return self.inner.read(name)

    def open(self, name: str) -> BinaryIO:
        """Decrypt an object, whole, before a byte of it is used; one from before the encryption is read as it is."""
        try:
            sealed = self.inner.open(f"{name}{SUFFIX}")
        except StorageBroken:
            return self.inner.open(name)
        with sealed as source:
            return self._decrypt(name, source)

    def _decrypt(self, name: str, source: BinaryIO) -> BinaryIO:
        if self._identity is None:
            raise BadBackupKey(name=name, reason="it is encrypted, and no identity is named")
        plain = cast("BinaryIO", tempfile.SpooledTemporaryFile(PART * 16))  # noqa: SIM115 - the caller closes it
        try:
            pyrage.decrypt_io(cast("Any", source), cast("Any", plain), [self._identity])
        except (pyrage.DecryptError, OSError) as error:
            plain.close()
            raise BadBackupKey(name=name, reason=str(error)) from None
        except StorageBroken:
            plain.close()
            raise
        plain.seek(0)
        return plain

    def names(self, prefix: str = "") -> list[str]:
        """List what is there, by the names without encryption."""
        return sorted({name.removesuffix(SUFFIX) for name in self.inner.names(prefix)})

    def sizes(self) -> dict[str, int]:
        """Return the bytes of what is there, encrypted."""
        return {name.removesuffix(SUFFIX): size for name, size in self.inner.sizes().items()}

    def delete(self, name: str) -> None:
        """Remove an object."""
        self.inner.delete(f"{name}{SUFFIX}")
        self.inner.delete(name)


def _read_recipient(text: str) -> x25519.Recipient:
    try:
        return x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BadBackupKey(name="REDYARD_BACKUPS_RECIPIENT", reason=str(error)) from None


def _read_identity(path: str) -> x25519.Identity:
    """Read a key file as age-keygen writes it: comments, and one line with the secret key."""
    try:
        lines = Path(path).expanduser().read_text().splitlines()
        [key] = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
        return x25519.Identity.from_str(key)
    except OSError as error:
        raise BadBackupKey(name=path, reason=error.strerror or str(error)) from None
    except (ValueError, pyrage.IdentityError):
        raise BadBackupKey(name=path, reason="it has no secret key of age") from None

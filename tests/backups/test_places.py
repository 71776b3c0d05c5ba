"""Places: encrypted for a key, and in an object store that speaks S3; both restore what was put there."""

import io
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings, strategies as st

from redyard.backups import proving, restore
from redyard.backups.place import open_storage
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.errors import BadBackupKey, StorageBroken
from redyard.settings import Settings
from tests.backups.conftest import following
from tests.support.servers import Server


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str]:
    """A key pair of age: the recipient, and the file with the identity."""
    return make_key(tmp_path / "key.txt")


def make_key(path: Path) -> tuple[str, str]:
    """Write a key file as age-keygen does."""
    identity = pyrage.x25519.Identity.generate()
    path.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n")
    return str(identity.to_public()), str(path)


def exercise(storage: object, tmp_path: Path) -> None:
    """Put, list, read, and delete as every storage must."""
    source = tmp_path / "source"
    source.write_bytes(b"0123456789" * 300_000)
    storage.put("stream/a", source)
    storage.write("stream/a.json", b"{}")
    assert ["stream/a", "stream/a.json"] == storage.names()
    assert ["stream/a", "stream/a.json"] == storage.names("stream/a")
    assert [] == storage.names("base/")
    with storage.open("stream/a") as file:
        assert b"01234" == file.read(5)
        assert 2_999_995 == len(b"".join(iter(lambda: file.read(1 << 20), b"")))
    assert b"{}" == storage.read("stream/a.json")
    with pytest.raises(StorageBroken, match="stream/b"):
        storage.read("stream/b")
    storage.delete("stream/a")
    storage.delete("stream/a")
    assert ["stream/a.json"] == storage.names()


def test_an_object_store_keeps_objects(bucket: str, tmp_path: Path) -> None:
    """A bucket does what a directory does."""
    exercise(open_storage(f"{bucket}/plain", Settings()), tmp_path)
    exercise(Directory(tmp_path / "directory"), tmp_path)


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    """What the store says comes through, in one line."""
    with pytest.raises(StorageBroken, match="s3://nowhere") as caught:
        open_storage("s3://nowhere/x", Settings()).names()

    assert "secret" not in str(caught.value)


def test_encrypted_objects_are_age_files(key: tuple[str, str], tmp_path: Path) -> None:
    """What lies in the storage is readable with the key alone; facts stay readable."""
    recipient, identity = key
    root = tmp_path / "storage"
    exercise(open_storage(str(root), Settings(backups_recipient=recipient, backups_identity=identity)), tmp_path)
    blind = open_storage(str(root), Settings(backups_recipient=recipient))
    source = tmp_path / "source"
    blind.put("stream/b", source)
    sealed = root / "stream" / "b.age"

    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")
    assert source.read_bytes() == pyrage.decrypt(sealed.read_bytes(), [identity_of(identity)])
    with pytest.raises(BadBackupKey, match="no identity"):
        blind.open("stream/b")
    _, wrong = make_key(tmp_path / "wrong.txt")
    with pytest.raises(BadBackupKey, match=r"stream/b"):
        open_storage(str(root), Settings(backups_identity=wrong)).open("stream/b")
    for bad in ("/nowhere", str(source)):
        with pytest.raises(BadBackupKey):
            open_storage(str(root), Settings(backups_identity=bad))
    with pytest.raises(BadBackupKey, match="RECIPIENT"):
        open_storage(str(root), Settings(backups_recipient="age1nonsense"))


def identity_of(path: str) -> pyrage.x25519.Identity:
    """Read a key file."""
    return pyrage.x25519.Identity.from_str(Path(path).read_text().splitlines()[-1])


async def test_backups_in_a_bucket_encrypted(
    own_server: Server, bucket: str, key: tuple[str, str], tmp_path: Path
) -> None:
    """A server is followed into an encrypted bucket, which is whole and restores what was written."""
    found = Settings(backups_recipient=key[0], backups_identity=key[1])
    storage = open_storage(f"{bucket}/{own_server.port}", found)
    async with following(own_server, tmp_path, storage):
        for number in range(100):
            own_server.admin("SET", f"key:{number}", "x" * 100)
    assert all(name.endswith((".age", ".json")) for name in storage.inner.names())
    assert [] == proving.faults(storage, lambda _text: None)

    assert 0 < restore.assemble(storage, restore.latest(storage), tmp_path / "data")
    assert 1 == len(Timeline(storage.names()).bases)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=5000))
def test_encryption_gives_back_what_it_took(data):
    """Any bytes come back, the empty file too."""
    identity = pyrage.x25519.Identity.generate()
    sealed, plain = io.BytesIO(), io.BytesIO()
    pyrage.encrypt_io(io.BytesIO(data), sealed, [identity.to_public()])
    sealed.seek(0)
    pyrage.decrypt_io(sealed, plain, [identity])

    assert data == plain.getvalue()

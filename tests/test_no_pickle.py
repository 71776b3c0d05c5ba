"""Nothing that lies in Redis is ever run: the package imports no module that runs what it reads."""

import ast
import os
import pickle
import tempfile
from pathlib import Path

import pytest

import redyard
from redyard import Cache, RateLimit, SessionStore, events
from tests.support.clients import heard, redis

__all__ = ["redis"]

RUNNERS = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}
SOURCES = sorted(Path(redyard.__file__).parent.rglob("*.py"))


class Bomb:
    """Pickled, it makes a file when somebody loads it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def bomb():
    """A pickle and the directory that it would make."""
    with tempfile.TemporaryDirectory(prefix="redyard-test-") as directory:
        path = Path(directory, "loaded")
        yield pickle.dumps(Bomb(str(path))), path
        assert not path.exists()


def imported(source: Path) -> set[str]:
    """The packages that a file imports."""
    nodes = list(ast.walk(ast.parse(source.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def test_nothing_is_imported_that_runs_what_it_reads():
    """Neither pickle nor one of its kind, in no module."""

    assert {} == {source.name: found for source in SOURCES if (found := imported(source) & RUNNERS)}


async def test_a_pickle_in_the_cache_is_a_miss(redis, bomb):
    """It is counted, loaded anew and overwritten."""
    cache = Cache(redis)
    await redis.set(cache.key("a"), bomb[0])

    async def load():
        return 7

    assert [None, 7, 7] == [await cache.get("a"), await cache.get_or_set("a", load), await cache.get("a")]
    assert cache.stats.unreadable


@pytest.mark.parametrize("form", ["native", "express"])
async def test_a_pickle_in_a_session_is_no_session(redis, bomb, form):
    """Whether it is the record or a field of it."""
    store = SessionStore(redis, format=form, deadline=10)
    await redis.set(store.records.key("one"), bomb[0])
    await redis.hset(store.records.key("two"), mapping={":created": 1, ":renewed": 1, "a": bomb[0]})

    assert [None, None] == [await store.load("one"), await store.load("two")]
    assert 2 == store.unreadable


async def test_a_pickle_in_a_limit_is_forgotten(redis, bomb):
    """The client begins anew."""
    limit = RateLimit(redis, "login", 3, 60)
    await redis.set(limit.key("ada"), bomb[0])
    with heard(events.RATELIMIT_UNREADABLE) as seen:
        assert (await limit.hit("ada")).allowed

    assert 1 == len(seen)

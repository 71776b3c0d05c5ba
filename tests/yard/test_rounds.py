"""The doctor's rounds over the instances of a yard."""

from types import SimpleNamespace

from redyard.yard.phases import Phase
from redyard.yard.rounds import Rounds
from tests.support.clients import client


def instance(redis, *, role="store", phase=Phase.RUNNING):
    """What the rounds ask of an instance, with a real server behind it."""
    return SimpleNamespace(
        name="redis-store", phase=phase, spec=SimpleNamespace(role=role), admin=SimpleNamespace(redis=redis)
    )


def counts(rounds):
    return {sample.labels.get("severity", "end"): sample.value for sample in rounds.samples("redis-store")}


async def test_findings_are_counted_by_severity(odd):
    """Each severity is there, if as zero; before the first round nothing is claimed."""
    rounds, server = Rounds({}), odd("--maxmemory", "1kb", "--maxmemory-policy", "noeviction")
    before = counts(rounds)
    async with client(server.url()) as redis:
        await rounds.look(instance(redis))
    found = counts(rounds)

    assert {} == before
    assert {"critical", "warning", "info", "end"} == set(found)
    assert found["critical"] >= 1
    assert 0 == found["end"]


async def test_what_does_not_run_is_not_examined(odd):
    """Its absence is another rule's."""
    rounds = Rounds({})
    async with client(odd().url()) as redis:
        await rounds.look(instance(redis, phase=Phase.STOPPED))

    assert {} == counts(rounds)


async def test_rounds_end_in_between():
    """Closing twice, or before the start, is legal."""
    rounds = Rounds({})
    await rounds.close()
    rounds.start()
    await rounds.close()
    await rounds.close()

"""What the app writes down: credits and tasks, each change once, whoever tries it and how often."""

import asyncio

from examples.agent_tasks import ledger
from examples.agent_tasks.ledger import Answer, NoCredit
from examples.agent_tasks.models import Account, Database, State

TEXT = "A text to be read. It has two sentences."


async def credits_of(database: Database, account: Account) -> int:
    found = await ledger.account(database, account.id)
    assert found is not None
    return found.credits


async def test_a_new_address_gets_its_welcome_and_a_known_one_does_not(database: Database, ada: Account):
    """Signing in again renames; it brings no credits."""
    await ledger.open_task(database, ada.id, TEXT)
    again = await ledger.sign_in(database, "ada@example.com", "Countess", welcome=3)

    assert (ada.id, "Countess", 2) == (again.id, again.name, again.credits)


async def test_people_who_sign_in_at_once_share_one_account(database: Database):
    """One address is one account."""
    accounts = await asyncio.gather(
        *(ledger.sign_in(database, "bob@example.com", "Bob", welcome=3) for _ in range(8)), return_exceptions=True
    )

    assert 1 == len({account.id for account in accounts})


async def test_each_credit_buys_one_task(database: Database, ada: Account):
    """Ten requests at once for three credits open three tasks."""
    opened = await asyncio.gather(
        *(ledger.open_task(database, ada.id, TEXT) for _ in range(10)), return_exceptions=True
    )

    assert 7 == sum(isinstance(result, NoCredit) for result in opened)
    assert 3 == len(await ledger.tasks(database, ada.id))
    assert 0 == await credits_of(database, ada)


async def test_a_withdrawn_task_leaves_nothing_and_costs_nothing(database: Database, ada: Account):
    """The credit is back, once."""
    task = await ledger.open_task(database, ada.id, TEXT)
    withdrawn = [await ledger.withdraw(database, task) for _ in range(2)]

    assert [True, False] == withdrawn
    assert 3 == await credits_of(database, ada)
    assert [] == await ledger.tasks(database, ada.id)


async def test_a_task_that_a_worker_has_is_not_withdrawn(database: Database, ada: Account):
    """What has begun is paid for."""
    task = await ledger.open_task(database, ada.id, TEXT)
    await ledger.begin(database, task.id)

    assert not await ledger.withdraw(database, task)
    assert 2 == await credits_of(database, ada)


async def test_a_withdrawn_or_settled_task_does_not_begin(database: Database, ada: Account):
    """A job that comes too late finds nothing to do."""
    gone, done = [await ledger.open_task(database, ada.id, TEXT) for _ in range(2)]
    await ledger.withdraw(database, gone)
    await ledger.finish(database, done, Answer("Read.", "us"))

    assert [None, None] == [await ledger.begin(database, task.id) for task in (gone, done)]


async def test_a_task_is_settled_once(database: Database, ada: Account):
    """Of an answer and a failure that race, one counts, and the credit follows it."""
    task = await ledger.open_task(database, ada.id, TEXT)
    settled = await asyncio.gather(
        *(ledger.fail(database, task, "No.") for _ in range(3)), ledger.finish(database, task, Answer("Yes.", "us"))
    )
    found = await ledger.task(database, ada.id, task.id)

    assert 1 == sum(settled)
    assert found is not None
    assert (3 if found.state == State.FAILED else 2) == await credits_of(database, ada)


async def test_nobody_sees_the_task_of_somebody_else(database: Database, ada: Account):
    """A task is found by its owner alone."""
    task = await ledger.open_task(database, ada.id, TEXT)
    bob = await ledger.sign_in(database, "bob@example.com", "Bob", welcome=3)

    assert await ledger.task(database, bob.id, task.id) is None
    assert [] == await ledger.tasks(database, bob.id)


async def test_times_keep_their_zone(database: Database, ada: Account):
    """SQLite forgets the zone; the app does not."""
    task = await ledger.open_task(database, ada.id, TEXT)
    found = await ledger.task(database, ada.id, task.id)

    assert found is not None
    assert task.created_at == found.created_at


async def test_tables_are_made_by_whoever_comes_first(database: Database):
    """The app and the worker may start at the same moment, and again later."""
    others = [Database(database.engine.url) for _ in range(4)]
    await asyncio.gather(*(other.create_tables() for other in others))
    for other in others:
        await other.close()

    assert [] == await ledger.tasks(database, 1)

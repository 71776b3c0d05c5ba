"""The table of plans needs no yard and follows the plans."""

from redyard.yard.plans import PLANS


def test_plans_without_a_yard(yard):
    """`redyard plans` lists every plan where no yard is."""
    done = yard.run("plans")
    missing = [name for name in PLANS if name not in done.stdout]

    assert (0, []) == (done.returncode, missing)


def test_store_and_cache_are_the_plan(yard):
    """The shares of a plan's store and cache add up to its memory, 3:1."""
    rows = yard.json("plans")["plans"]

    assert [row["memory"] for row in rows] == [row["store"] + row["cache"] for row in rows]
    assert [row["store"] for row in rows] == [3 * row["cache"] for row in rows]


def test_machine_has_room_for_a_copy(yard):
    """The machine's memory covers the plan twice, for the copy that a save makes."""
    rows = yard.json("plans")["plans"]

    assert [] == [row["name"] for row in rows if row["machine_memory"] < 2 * row["memory"]]

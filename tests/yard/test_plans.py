"""The plans are the guide's, and a store and a cache share one."""

import pytest

from redyard.engine.directives import ROLES, Limits
from redyard.errors import UnknownPlan, UnknownRole
from redyard.yard.plans import PLANS, lookup

MB = 1024 * 1024
GUIDE = {"256mb": 100, "512mb": 200, "1gb": 300, "2gb": 500, "4gb": 500, "8gb": 500}
"""Connections by plan."""


def test_plans_are_the_guide_s():
    """Each plan of the guide is there with its connections and 16 databases."""
    assert {name: (count, 16) for name, count in GUIDE.items()} == {
        plan.name: (plan.connections, plan.databases) for plan in PLANS.values()
    }


def test_name_is_the_memory():
    """A plan has the memory that its name says."""
    sizes = [256, 512, 1024, 2048, 4096, 8192]

    assert [size * MB for size in sizes] == [plan.memory for plan in PLANS.values()]


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.name)
def test_store_and_cache_share_a_plan(plan):
    """Store and cache have 3:1 of the memory, nothing is left over, and each has all connections."""
    shares = plan.instances()
    store, cache = shares["store"], shares["cache"]

    assert (plan.memory, 3 * cache.memory) == (store.memory + cache.memory, store.memory)
    assert {(plan.connections, plan.databases)} == {share[1:] for share in shares.values()}


@pytest.mark.parametrize("role", ROLES)
def test_one_instance_has_the_whole_plan(role):
    """An add-on of one role has all of the plan."""
    assert {role: Limits(512 * MB, 200, 16)} == PLANS["512mb"].instances(role)


def test_unknown_role_names_the_known():
    """A role that does not exist is refused with those that do."""
    with pytest.raises(UnknownRole) as refused:
        PLANS["1gb"].instances("queue")

    assert ["store", "cache"] == refused.value.details["roles"].split(", ")


@pytest.mark.parametrize("name", ["3gb", "", "256MB", "store"])
def test_unknown_plan_names_the_known(name):
    """A plan that does not exist is refused with those that do."""
    with pytest.raises(UnknownPlan) as refused:
        lookup(name)

    assert (name, list(PLANS)) == (refused.value.details["plan"], refused.value.details["plans"].split(", "))


def test_plan_is_looked_up_by_name():
    """A plan is found by its name."""
    assert list(PLANS.values()) == [lookup(name) for name in PLANS]


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.name)
def test_machine_has_room_for_a_save(plan):
    """A machine should have room for the data, for what a save copies, and for the engine itself."""
    assert 2.1 * plan.memory < plan.machine_memory < 2.1 * plan.memory + 32 * MB

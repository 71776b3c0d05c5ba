"""`redyard plans`: what an add-on can be. Needs no yard."""

from redyard.cli.output import Output
from redyard.yard.plans import PLANS, Plan

EXAMPLES = ("redyard plans",)


def plans(out: Output) -> None:
    """List the plans: memory, connections, databases.

    The store and the cache of an add-on share the plan's memory 3:1. A store that saves may need its memory once more:
    the last column is what the machine should have free.
    """
    out.show({"plans": [row(plan) for plan in PLANS.values()]}, "plans")


def row(plan: Plan) -> dict[str, object]:
    """Return a plan with what follows from it; memory in bytes."""
    return {
        "name": plan.name,
        "memory": plan.memory,
        **{role: limits.memory for role, limits in plan.instances().items()},
        "connections": plan.connections,
        "databases": plan.databases,
        "machine_memory": plan.machine_memory,
    }

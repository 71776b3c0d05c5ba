"""`redyard alerts`: what fires, the rules, silences, and a test of the channels."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.alerts.rules import TABLE, Rule
from redyard.cli.output import Output
from redyard.cli.yard import calls
from redyard.errors import AlertUndelivered, Usage
from redyard.units import parse_span

EXAMPLES = (
    "redyard alerts",
    "redyard alerts rules",
    "redyard alerts silence StoreFillsUp redis-store --for 2h",
    "redyard alerts test",
)


class Action(StrEnum):
    """What `redyard alerts` does."""

    list = "list"
    rules = "rules"
    silence = "silence"
    test = "test"


def alerts(
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="list, rules, silence or test.")] = Action.list,
    rule: Annotated[str | None, typer.Argument(metavar="RULE", help="The rule to silence; * is all.")] = None,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The instance; * is all.")] = "*",
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long to be silent; 0s ends it.")] = "1h",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the others.")] = "",
) -> None:
    """Show what fires, the rules and the channels; silence a rule.

    Each alert has its cause and its remedy. `test` sends a message to every channel. The yard judges its instances
    every ten seconds and tells the channels in REDYARD_ALERTS.
    """
    if action is Action.rules:
        out.show({"rules": [row(item) for item in TABLE]}, "rules")
    elif action is Action.silence:
        if rule is None:
            raise Usage(problem="which rule shall be silent?", command="redyard alerts")
        out.show(calls().silence(rule, name, parse_span(span), reason), "alerts")
    elif action is Action.test:
        _test(out)
    else:
        out.show(calls().alerts(), "alerts")


def row(rule: Rule) -> dict[str, object]:
    """Return a rule as it is shown."""
    return {
        "name": rule.name,
        "severity": rule.severity,
        "roles": list(rule.roles),
        "lasts": rule.lasts,
        "says": rule.says,
        "finding": rule.finding,
        "remedy": rule.remedy,
        "promql": rule.promql,
    }


def _test(out: Output) -> None:
    with out.working("Sending"):
        answer = calls().test_alerts()
    out.show(answer, "deliveries")
    failed = [item["channel"] for item in answer["deliveries"] if not item["delivered"]]
    if failed:
        raise AlertUndelivered(channels=", ".join(failed))

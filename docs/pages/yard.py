"""The pages of plans, the engine's settings and users, and phases."""

from pages.markdown import code, page, prose, table
from redyard.engine import access, directives
from redyard.engine.directives import RESERVED_CONNECTIONS
from redyard.units import SIZES, format_size
from redyard.yard import phases, plans, reconcile

SHOWN_PLAN = "256mb"
"""The plan whose values the page of engine settings shows."""


def plan_page() -> str:
    """Draw the plans and roles."""
    rows = []
    for plan in plans.PLANS.values():
        shares = [format_size(limits.memory) for limits in plan.instances().values()]
        rows.append((plan.name, *shares, plan.connections, plan.databases, format_size(plan.machine_memory)))
    intro = prose(f"""An add-on is a store and a cache that share the plan's memory 3:1; `--role` makes one instance
        with all of it. Connections and databases are those of each instance; its engine takes
        {RESERVED_CONNECTIONS} connections more, for the yard, probes and backups. The last column is the
        memory that the machine should have free.""")
    head = "plan | store | cache | connections | databases | machine"
    roles = table("role | meaning", directives.ROLES.items())
    return page("Plans and roles", "src/redyard/yard/plans.py", intro, table(head, rows), "## Roles", roles)


def engine_page() -> str:
    """Draw the engine's settings, with the reasons."""
    limits, rows = plans.lookup(SHOWN_PLAN).instances(), []
    for row in directives.TABLE:
        values = [_value(row, role, limits[role]) for role in ("store", "cache")]
        rows.append((code(row.name), *values, row.why, row.guide, row.loss))
    intro = prose(f"""Each setting that Redyard gives an engine, with the values of the plan {SHOWN_PLAN}. "The guide"
        is the common advice for a Redis beside a web app: one engine for sessions, jobs and cache. The
        last column is what its value would lose. What is not in this table stays at the engine's
        default.""")
    head = "setting | store | cache | why | the guide had | what that would lose"
    return page("Engine settings", "src/redyard/engine/directives.py", intro, table(head, rows))


def _value(row: directives.Directive, role: str, limits: directives.Limits) -> str:
    value = row.value(role, limits)
    return code(format_size(int(value)) if value.isdecimal() and int(value) >= SIZES["mb"] else value)


def user_page() -> str:
    """Draw the engine's users."""
    rows = [(code(row.name), row.purpose, code(row.rights)) for row in access.TABLE]
    intro = "The users of each engine. Passwords are generated for each instance; the engine's file holds their hashes."
    templates = [
        (code(row.name), row.purpose, code(row.user("APP", []).rights), code(row.bound) if row.bound else "has no keys")
        for row in access.TEMPLATES
    ]
    more = prose("""`redyard access add NAME APP` makes a user for an app by one of these. With `--prefix`, the pattern
        of its keys and channels is the prefix, and it loses what the last column says: the engine checks the keys
        that a command names, and these name none, or tell of all.""")
    made = table("template | for | rights | with prefixes also", templates)
    first = table("user | for | rights", rows)
    return page("Users", "src/redyard/engine/access.py", intro, first, "## Users of apps", more, made)


def phase_page() -> str:
    """Draw the phases and the ways between them."""
    meanings = table("phase | meaning", [(code(phase), phases.MEANINGS[phase]) for phase in phases.Phase])
    rows = [
        (rule.wanted or "any", _set(rule), "yes" if rule.alive else "no", _answer(rule), rule.to, rule.action.value)
        for rule in phases.RULES
    ]
    pauses = ", ".join(f"{pause:g}" for pause in reconcile.PAUSES)
    rules = prose(f"""The first rule that fits holds; without one, all stays. The pauses after crashes in a row are
        {pauses} s; one crash more, and the instance has failed. {reconcile.STEADY:g} s of running make
        earlier crashes forgotten. A living engine that has not answered for {reconcile.PATIENCE:g} s is
        silent. Two ways are not rules: `redyard start` makes a failed instance a stopped one that is
        wanted, and an instance at whose socket a stranger answers has failed.""")
    head = "wanted | in phases | process | answer | goes to | action"
    ways = ["## Ways", diagram(), rules, table(head, rows)]
    return page("Phases", "src/redyard/yard/phases.py", "An instance is in one of these phases.", meanings, *ways)


def diagram() -> str:
    """Draw the rules: a round node is any of several phases."""
    edges = []
    for rule in phases.RULES:
        edges.append(f'{_node(rule)} -->|"{rule.reason}"| {rule.to}')
        if rule.action is phases.Action.COUNT_CRASH:
            often = f"it ended {len(reconcile.PAUSES) + 1} times in a row"
            edges.append(f'{_node(rule)} -->|"{often}"| {phases.Phase.FAILED}')
    return "\n".join(["```mermaid", "flowchart LR", *(f"  {edge}" for edge in edges), "```"])


def _node(rule: phases.Rule) -> str:
    words = _set(rule)
    return words if len(rule.phases) == 1 else f'{"_".join(words.split(", ")).replace(" ", "_")}(["{words}"])'


def _set(rule: phases.Rule) -> str:
    return "any phase" if rule.phases == phases.ALL else ", ".join(one for one in phases.Phase if one in rule.phases)


def _answer(rule: phases.Rule) -> str:
    words = [rule.answer.value if rule.answer else "any", *(["its time is over"] if rule.due else [])]
    return ", ".join(words)

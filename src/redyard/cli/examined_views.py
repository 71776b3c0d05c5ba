"""What a person reads of health and of a doctor's looks."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from redyard.cli.drawing import pair, pairs, plain, size, span, table
from redyard.units import format_instant

Data = Mapping[str, Any]


def health(data: Data) -> RenderableType:
    """Draw each server's answer."""
    rows = table("SERVER", "HEALTH", "TOOK>", "REASON")
    for name, check in data["checks"].items():
        style = "green" if check["status"] == "healthy" else "bold red"
        took = f"{check['latency_ms']:.1f} ms"
        rows.add_row(name, Text(check["status"], style=style), took, plain(check.get("reason", "")))
    return rows


def examined(data: Data) -> RenderableType:
    """Draw what a doctor found, the worst first, and what could not be looked at."""
    engine = f"{data['engine']}, " if data["engine"] else ""
    head = pair("Examined", f"{data['target']}  {engine}{data['seconds']:.2f} s")
    findings = [_finding(finding) for finding in data["findings"]]
    unchecked = [pair(f"  {what}", why) for what, why in data["unchecked"].items()]
    verdict = "" if data["worst"] in {"critical", "warning"} else "\nNothing to mend."
    notes = [plain("\nNot looked at"), *unchecked] if unchecked else []
    return Group(head, *findings, plain(verdict), *notes)


def _finding(finding: Data) -> RenderableType:
    colour = {"critical": "bold red", "warning": "yellow"}.get(finding["severity"], "dim")
    title = Text.assemble("\n", (finding["severity"], colour), f"  {finding['title']}  ", (finding["number"], "dim"))
    evidence = ", ".join(f"{name} = {value}" for name, value in finding["evidence"].items())
    rows = (("seen", evidence), ("cause", finding["cause"]), ("do", finding["remedy"]), ("rests on", finding["proof"]))
    return Group(title, *pairs(rows))


def checklist(data: Data) -> RenderableType:
    """Draw the production checklist."""
    rows = table("", "LINE", "SEEN", "DO")
    marks = {"pass": ("pass", "green"), "fail": ("fail", "bold red")}
    for line in data["checklist"]:
        evidence = ", ".join(f"{name} = {value}" for name, value in line["evidence"].items())
        word, style = marks.get(line["result"], (line["result"], "dim"))
        rows.add_row(Text(word, style=style), line["name"], plain(evidence), plain(line["remedy"]))
    return Group(pair("Checklist", data["target"]), rows)


def memory(data: Data) -> RenderableType:
    """Draw memory by prefix, and the biggest keys."""
    rows = table("PREFIX", "KEYS>", "MEMORY>", "SHARE>", "AVERAGE>", "LARGEST>", "NO END>")
    for row in data["prefixes"]:
        sizes = [size(row["bytes"]), f"{row['share']:.1%}", size(row["average"]), size(row["largest"])]
        rows.add_row(row["name"], f"{row['keys']:,}", *sizes, f"{row['endless_share']:.0%}")
    biggest = [pair(f"  {size(key['bytes'])}", f"{key['key']} ({key['type']})") for key in data["biggest"]]
    how = f"by {data['samples']} elements of each" if data["samples"] else "exact"
    said = f"{data['keys']:,} keys, {how}, in {data['seconds']:.1f} s; used_memory {size(data['used_memory'])}"
    return Group(pair("Memory", said), rows, plain("Biggest keys"), *biggest)


def since(data: Data) -> RenderableType:
    """Draw what a time brought, an instance each."""
    return Group(*(_summary(one) for one in data["summaries"]))


def _summary(data: Data) -> RenderableType:
    told = f"{span(data['covered'])} of {span(data['asked'])} seen, until {format_instant(data['until'])}"
    totals = ", ".join(f"{count:,.0f} {name.replace('_', ' ')}" for name, count in data["totals"].items())
    restarts = f"{data['restarts']} restarts or moves" if data["restarts"] else "no restart"
    grew = [(row["name"].replace("_", " "), _change(row)) for row in (*data["grew"], *data["slowed"])]
    filled = [(f"{row['name']} nearly full", _filled(row)) for row in data["filled"]]
    alerts = [
        (row["rule"], f"fired {row['times']} times, last {format_instant(row['last'])}") for row in data["alerts"]
    ]
    quiet = [] if grew or filled or alerts else [("well", "nothing grew, slowed or nearly filled, and no alert fired")]
    facts = (("seen", told), ("did", f"{totals}; {restarts}"), *grew, *filled, *alerts, *quiet)
    return Group(Text(f"\n{data['name']}", style="bold"), *pairs(facts))


def _change(row: Data) -> str:
    def shown(value: float) -> str:
        return size(int(value)) if row["unit"] == "bytes" else f"{value:,.6g} {row['unit']}".rstrip()

    return f"{shown(row['first'])} -> {shown(row['last'])}"


def _filled(row: Data) -> str:
    shown = size if row["name"] == "memory" else "{:,.0f}".format
    soon = f"; full in {row['full_in_days']:g} days as it goes" if row["full_in_days"] is not None else ""
    return f"{shown(int(row['most']))} of {shown(int(row['limit']))} at {format_instant(row['at'])}{soon}"

"""What a person sees: for each kind of data one pure function that makes it something rich can draw."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from redyard.cli.drawing import of, pair, pairs, phase, plain, size, span, table
from redyard.units import format_instant

Data = Mapping[str, Any]


def status(data: Data) -> RenderableType:
    """Draw the yard in one line, its instances as a table, and why any does not run."""
    yard = data["yard"]
    line = f"{yard['home']}  process {yard['pid']}, version {yard['version']}, up {span(yard['uptime_seconds'])}"
    if not data["instances"]:
        return Group(pair("Yard", line), plain("\nNo add-on yet: redyard add redis"))
    return Group(pair("Yard", line), instances(data), *map(_alert, data.get("alerts", ())))


def instances(data: Data) -> RenderableType:
    """Draw instances as a table, and under it why any does not run."""
    rows = table("NAME", "ROLE", "PLAN", "PHASE", "PORT>", "MEMORY>", "CLIENTS>", "UP>", "BACKUP>")
    for view in data["instances"]:
        rows.add_row(
            view["name"],
            view["role"],
            view["plan"] or "attached",
            phase(view["phase"]),
            str(view["port"]),
            of(size(view["memory_used"]), size(view["memory_limit"])),
            of(view["clients"], view["clients_limit"]),
            span(view["uptime_seconds"]),
            _backup(view.get("backups")),
        )
    reasons = [
        pair(view["name"], view["reason"])
        for view in data["instances"]
        if view["reason"] and view["phase"] not in {"running", "stopped"}
    ]
    doing = [pair(view["name"], view["doing"]) for view in data["instances"] if view["doing"]]
    return Group(rows, *reasons, *doing)


def _backup(facts: Data | None) -> str:
    """Say in a word how its backups are: how far behind, or what is wrong."""
    if facts is None:
        return "-"
    if facts.get("snapshots_every"):
        return f"each {span(facts['snapshots_every'])}"
    if not facts["following"]:
        return "off line"
    if facts["trouble"]:
        return "waiting"
    return "-" if facts["lag_seconds"] is None else f"{facts['lag_seconds']:.1f}s"


def _backup_facts(facts: Data | None) -> Iterable[tuple[str, object]]:
    if facts is None:
        return ()
    return (
        ("backups", facts["storage"]),
        ("last moment", facts["last_moment"]),
        ("last proof", facts["proved_at"] or "none yet"),
        ("backups' trouble", facts["trouble"] or None),
    )


def info(data: Data) -> RenderableType:
    """Draw everything about instances, one block each."""
    return Group(*(_block(instance, _everything(instance)) for instance in data["instances"]))


def added(data: Data) -> RenderableType:
    """Draw what a new add-on has, and what to do with it."""
    how = f", plan {data['plan']}, in {data['seconds']:.2f} s" if data["plan"] else ": it stays where it runs"
    done = Text(f"{'Added' if data['plan'] else 'Attached'} {data['addon']}{how}.\n", style="bold green")
    blocks = [_block(instance, _promised(instance)) for instance in data["instances"]]
    name = data["addon"]
    option, argument = ("", "") if name == "redis" else (f" --name {name}", f" {name}")
    steps = pairs(
        (
            ("run your app on it", f"redyard run{option} -- COMMAND"),
            ("show the variables", f"redyard vars{argument}"),
            ("watch it", "redyard status"),
        )
    )
    return Group(done, *blocks, Text("Next", style="bold"), *steps)


def changes(data: Data) -> RenderableType:
    """Draw what a change would take."""
    rows = table("NAME", "WAY", "PLAN", "MEMORY", "ENGINE", "USED>", "DROPPED>", "PAUSE>", "NEEDS>", "FREE>")
    for change in data["changes"]:
        rows.add_row(
            change["name"],
            change["way"],
            _turn(*change["plan"]),
            _turn(*(size(count) for count in change["memory"])),
            _turn(*change["engine"]),
            size(change["used"]),
            f"{change['evicted_keys']:,} keys" if change["evicted_keys"] else "-",
            f"{change['pause_ms']} ms",
            _room(change, "needed"),
            _room(change, "free"),
        )
    refused = [pair(change["name"], f"refused: {change['refused']}") for change in data["changes"] if change["refused"]]
    return Group(rows, *refused)


def moved(data: Data) -> RenderableType:
    """Draw the instances after a change, and what each move took."""
    moves = [
        pair(item["name"], f"moved in {item['seconds']:.1f} s; writes paused for {item['pause_ms']:.0f} ms")
        for item in data["moved"]
    ]
    return Group(instances(data), *moves)


def _room(change: Data, what: str) -> str:
    """Return what a change takes of memory and disk, or what there is."""
    memory, disk = size(change[f"memory_{what}"]), size(change[f"disk_{what}"])
    return f"{memory}, {disk} disk" if change["disk_needed"] else memory


def _turn(old: object, new: object) -> str:
    return str(new) if old == new else f"{old} -> {new}"


def would_remove(data: Data) -> RenderableType:
    """Draw what a removal takes, and that nothing brings it back."""
    blocks = [
        _block(
            instance,
            (
                ("keys", instance["keys"]),
                ("memory", size(instance["memory_used"])),
                ("directory", instance["directory"]),
            ),
        )
        for instance in data["would_remove"]
    ]
    warning = Text("Removing takes all of this, for good: nothing brings it back.\n", style="bold")
    return Group(warning, *blocks, _again(data))


def detached(data: Data) -> RenderableType:
    """Draw what was forgotten."""
    kept = f" Its backups stay in {', '.join(data['backups'])}." if data["backups"] else ""
    return plain(f"Detached {_names(data['detached'])}: forgotten here, untouched where it runs.{kept}")


def settings(data: Data) -> RenderableType:
    """Draw the settings of instances: what counts, whose it is, why, and what the guide had."""
    parts: list[RenderableType] = []
    for instance in data["instances"]:
        rows = table("SETTING", "VALUE", "FROM", "WHY", "THE GUIDE HAD")
        for row in instance["settings"]:
            why = f"It loses {row['loses']}." if row["loses"] else row["why"]
            rows.add_row(row["setting"], _value(row["value"]), _origin(row), why, row["guide"])
        parts += [Text(f"{instance['name']}  {instance['role']}", style="bold"), rows]
    return Group(*parts)


def _value(value: str | None) -> str:
    return "?" if value is None else value or '""'


def _origin(row: Data) -> str:
    if row["set_by_you"]:
        return "you"
    return "Redyard" if row["value"] in {row["redyard"], None} else "its owner"


def changed(data: Data) -> RenderableType:
    """Draw what a setting was and is, what that costs, and the way back."""
    lines: list[RenderableType] = [plain(_change(data))]
    if data["loses"]:
        lines.append(Text(f"It loses {data['loses']}.", style="yellow"))
    return Group(*lines, pair("Take it back", f"redyard config reset {data['name']} {data['setting']}"))


def given_back(data: Data) -> RenderableType:
    """Draw what a setting is after a reset."""
    return plain(_change(data))


def _change(data: Data) -> str:
    now = "counts from the next restart" if data["restart_needed"] else "counts now and after every restart"
    return f"{data['setting']} of {data['name']}: {_value(data['before'])} -> {_value(data['value'])}; it {now}."


def removed(data: Data) -> RenderableType:
    """Draw what was removed and how to have an empty one again."""
    return Group(plain(f"Removed {_names(data['removed'])}."), _again(data))


def _again(data: Data) -> RenderableType:
    return pair("An empty one again", data["again"] or "only with the whole add-on: a half cannot be added alone")


def down(data: Data) -> RenderableType:
    """Draw what was stopped."""
    engines = f"Stopped {_names(data['stopped'])}. " if data["stopped"] else "No engine ran. "
    return plain(f"{engines}The yard in {data['home']} has ended; `redyard up` starts it again.")


def plans(data: Data) -> RenderableType:
    """Draw the table of plans."""
    rows = table("PLAN", "MEMORY>", "STORE>", "CACHE>", "CONNECTIONS>", "DATABASES>", "MACHINE>")
    for plan in data["plans"]:
        sizes = [size(plan[field]) for field in ("memory", "store", "cache")]
        counts = [str(plan[field]) for field in ("connections", "databases")]
        rows.add_row(plan["name"], *sizes, *counts, size(plan["machine_memory"]))
    return rows


def version(data: Data) -> RenderableType:
    """Draw the versions."""
    engine = data["engine"]
    found = engine["message"] if "error" in engine else f"{engine['name']} {engine['version']}, {engine['path']}"
    known = ((name, data[name]) for name in ("redyard", "python", "platform"))
    return Group(*pairs((*known, ("engine", found))))


def alerts(data: Data) -> RenderableType:
    """Draw what fires with its remedy, what is about to, what is silenced, and what happened."""
    parts: list[RenderableType] = [_alert(item) for item in data["firing"]] or [plain("Nothing fires.")]
    parts += [plain(f"Perhaps soon: {item['rule']} of {item['name']}") for item in data["pending"]]
    for item in data["silences"]:
        why = f" ({item['reason']})" if item["reason"] else ""
        parts.append(plain(f"Silent until {format_instant(item['until'])}: {item['rule']} of {item['subject']}{why}"))
    if data["history"]:
        rows = table("WHEN", "RULE", "NAME", "WHAT")
        for line in data["history"][:20]:
            rows.add_row(format_instant(line["at"]), line["rule"], line["subject"], line["what"])
        parts.append(rows)
    told = _names(data["channels"]) or "nobody: set REDYARD_ALERTS"
    return Group(*parts, pair("Told", told))


def _alert(item: Data) -> RenderableType:
    style = "bold red" if item["severity"] == "critical" else "yellow"
    head = Text.assemble((item["rule"], style), "  ", item["summary"], overflow="fold")
    return Group(head, pair("  do", item["remedy"]))


def rules(data: Data) -> RenderableType:
    """Draw the rules."""
    rows = table("RULE", "SEVERITY", "FOR", "AFTER>", "SAYS")
    for rule in data["rules"]:
        after = span(rule["lasts"]) if rule["lasts"] else "at once"
        says = rule["says"].replace("{name}", "NAME").replace("{value}", "N")
        rows.add_row(rule["name"], rule["severity"], ", ".join(rule["roles"]) or "all", after, says)
    return rows


def deliveries(data: Data) -> RenderableType:
    """Draw how a message fared."""
    return Group(
        *(
            plain(f"{item['channel']}  {'delivered' if item['delivered'] else 'not delivered'}, tries: {item['tries']}")
            for item in data["deliveries"]
        )
    )


def top(data: Data) -> RenderableType:
    """Draw what the instances do."""
    rows = table(
        "NAME", "PHASE", "MEMORY>", "FULL>", "KEYS>", "OPS/S>", "HITS>", "BUSY>", "IN/S>", "OUT/S>", "EVICTED/S>"
    )
    for item in data["instances"]:
        used = item["memory_used"]
        rows.add_row(
            item["name"],
            phase(item["phase"]),
            of(size(used and int(used)), size(item["memory_limit"])),
            _share(used and used / item["memory_limit"]),
            _count(item["keys"]),
            _count(item["operations"]),
            _share(item["hit_rate"]),
            _share(item["busy"]),
            size(item["input"] and int(item["input"])),
            size(item["output"] and int(item["output"])),
            _count(item["evicted"]),
        )
    alerts_ = [_alert(item) for item in data["alerts"]]
    return Group(rows, *alerts_, *(part for item in data["instances"] for part in _busy(item)))


def _busy(item: Data) -> Iterable[RenderableType]:
    """Draw an instance's commands, clients and slow commands."""
    if item["commands"]:
        rows = table(f"{item['name']}: COMMAND", "CALLS/S>", "MEAN>", "P99 SINCE START>")
        for row in item["commands"]:
            rows.add_row(row["command"], _count(row["calls"]), _micro(row["mean_us"]), _micro(row["p99_us"]))
        yield rows
    if item["clients"]:
        yield pair(f"{item['name']} clients", ", ".join(f"{name} {count}" for name, count in item["clients"].items()))
    for row in item["slow"]:
        yield pair(f"{item['name']} slow", f"{row['seconds'] * 1000:.1f} ms  {row['command']}  {row['client']}")
    if item["restorable"]:
        yield pair(f"{item['name']} restorable to", item["restorable"])


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _micro(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} us" if value < 1000 else f"{value / 1000:.1f} ms"


def _promised(instance: Data) -> Iterable[tuple[str, object]]:
    return (
        ("connection", instance["url"]),
        ("version", f"{instance['engine']} {instance['version']}" if instance["engine"] else None),
        ("memory", ", ".join(filter(None, (size(instance["memory_limit"]), instance["policy"])))),
        ("authentication", instance["authentication"]),
        ("reachable from", instance["reachable_from"]),
        ("encryption", instance.get("encryption")),
    )


def _everything(instance: Data) -> Iterable[tuple[str, object]]:
    return (
        ("reason", None if instance["phase"] == "running" else instance["reason"] or None),
        *_promised(instance),
        ("memory used", size(instance["memory_used"])),
        ("machine needs", of(size(instance["machine_memory"]), size(instance["machine_memory_free"]) + " free")),
        ("clients", of(instance["clients"], instance["clients_limit"])),
        ("databases", instance["databases"]),
        ("keys", instance["keys"]),
        ("evicted", instance["evicted"]),
        ("persistence", instance["persistence"]),
        *_backup_facts(instance.get("backups")),
        ("port", instance["port"]),
        ("socket", instance["socket"]),
        ("process", instance["pid"]),
        ("up", span(instance["uptime_seconds"])),
        ("ready in", None if instance["ready_ms"] is None else f"{instance['ready_ms']:.0f}ms"),
        ("crashes", instance["crashes"]),
        ("created", instance["created_at"]),
        ("directory", instance["directory"]),
        ("log", instance["log"]),
    )


def _block(instance: Data, facts: Iterable[tuple[str, object]]) -> RenderableType:
    title = Text.assemble((instance["name"], "bold"), f"  {instance['role']}, {instance['plan'] or 'attached'}, ")
    title.append_text(phase(instance["phase"]))
    return Group(title, *pairs(facts), "")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)


def backups(data: Data) -> RenderableType:
    """Draw the moments that can be restored, the gaps, and the bases."""
    rows = table("BASE", "KIND", "ENGINE", "SIZE>")
    for base in data["bases"]:
        rows.add_row(base["at"], base["kind"], base["engine"], size(base["size"]))
    windows = [pair("Moments", f"{span['first']} to {span['last']}") for span in data["windows"]]
    if data["only_snapshots"]:
        windows = [plain("That server lets nobody follow it: of its past there are only these moments.")]
    gaps = [pair("Gap", f"{span['after']} to {span['before']}") for span in data["gaps"]]
    facts = (
        ("last proof", data["proved_at"] or "none yet"),
        ("stream", f"{size(data['stream'])}, before it was compressed"),
        ("storage", data["storage"]),
    )
    return Group(*windows, *gaps, rows, *pairs(facts))


def captured(data: Data) -> RenderableType:
    """Draw up to when stores can be restored."""
    return Group(*(pair(item["name"], f"captured; {item['backups']['storage']}") for item in data["instances"]))


def restored(data: Data) -> RenderableType:
    """Draw what was restored, and where."""
    keys = ", ".join(f"{count:,} in database {db}" for db, count in data["keys"].items()) or "none"
    facts = (
        ("just before", data["before"]),
        ("keys", keys),
        ("digest", data["digest"]),
        (
            "took",
            f"{data['seconds']:.1f} s: {size(data['bytes_per_second'])}/s, {data['keys_per_second']:,} keys/s",
        ),
    )
    moves = [f"writes paused for {item['pause_ms']:.0f} ms" for item in data["moved"]]
    names = _names([item["name"] for item in data["instances"]])
    title = Text(f"Restored {data['moment']}{' into ' + names if names else ''}.", style="bold green")
    return Group(title, *pairs(fact for fact in facts if fact[1]), *map(plain, moves))


def opened(data: Data) -> RenderableType:
    """Draw how to reach a moment that is served."""
    return Group(*pairs((("moment", data["moment"]), ("for reading", data["url"]), ("until", "Ctrl-C"))))


def difference(data: Data) -> RenderableType:
    """Draw what came, went and changed."""
    signs = {"came": "+", "went": "-", "changed": "~"}
    lines = [plain(f"{sign} {key}") for what, sign in signs.items() for key in data[what]]
    counts = ", ".join(f"{count:,} {what}" for what, count in data["counts"].items())
    return Group(*lines, pair(f"{data['from']} to {data['to']}", counts))


def verified(data: Data) -> RenderableType:
    """Draw what was proved, or what is wrong."""
    if data["faults"]:
        return Group(*(pair(fault["name"], fault["reason"]) for fault in data["faults"]))
    proof = data["proof"]
    keys = f"{sum(proof['keys'].values()):,} keys"
    facts = ("compared", "; ".join(proof["compared"]) or "nothing to compare with"), ("digest", proof["digest"])
    return Group(Text(f"Proved: {keys} of {data['storage']}.", style="bold green"), *pairs(facts))


def pruned(data: Data) -> RenderableType:
    """Draw what went, or would go."""
    word = "would be removed" if data["dry_run"] else "removed"
    return Group(*map(plain, data["objects"]), plain(f"{len(data['objects'])} objects {word}; all that is kept stays."))


def exported(data: Data) -> RenderableType:
    """Draw what was written."""
    return plain(f"Wrote {data['keys']:,} keys as of {data['moment']} to {data['file']}, {size(data['size'])}.")


def imported(data: Data) -> RenderableType:
    """Draw how another Redis was copied, and whether both have the same."""
    same = "equal" if data["equal"] else "it has changed since, or another client wrote: compare before you cut over"
    pause = None if data["pause"] is None else f"{data['pause'] * 1000:.0f} ms"
    title = Text(f"Imported into {_names([item['name'] for item in data['instances']])}.", style="bold green")
    facts = ("way", data["way"]), ("pause of the source", pause), ("keys", sum(data["keys"].values())), ("source", same)
    return Group(title, *pairs(fact for fact in facts if fact[1] is not None))

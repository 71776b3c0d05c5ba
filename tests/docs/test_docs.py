"""The documentation is true: nothing is missing, every link leads somewhere, every program in it runs."""

import ast
import os
import re
import shutil
import subprocess
import sys

import pytest

from redyard import checks, errors, events, keys, metrics, settings
from redyard.alerts import rules
from redyard.cli import main as cli
from redyard.engine import access, directives
from redyard.yard import answers
from redyard.yard.phases import Phase
from redyard.yard.plans import PLANS
from tests.docs.markdown import ROOT, anchors, blocks, commands, links, pages, programs

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
ROWS = {
    "alerts": [f"## {rule.name}" for rule in rules.TABLE],
    "checks": [f"| `{row.name}` |" for row in checks.TABLE],
    "commands": [f"## redyard {row.name}" for row in cli.TABLE],
    "engine-settings": [f"| `{row.name}` |" for row in directives.TABLE],
    "errors": [f"### {row.__name__}" for row in errors.table()],
    "events": [f"| `{row.name}` |" for row in events.TABLE],
    "json": [f"| `redyard {name}`" if name != "an error" else "| an error |" for name in answers.TABLE],
    "keys": [f"| `{row.pattern}` |" for row in keys.TABLE],
    "metrics": [f"| `{row.name}` |" for row in (*metrics.TABLE, *metrics.KIT)],
    "phases": [f"| `{phase}` |" for phase in Phase],
    "plans": [f"| {name} |" for name in [*PLANS, *directives.ROLES]],
    "settings": [f"| `{row.variable}` |" for row in settings.table()],
    "users": [f"| `{row.name}` |" for row in (*access.TABLE, *access.TEMPLATES)],
}
PROGRAMS = [(page, *program) for page in pages() for program in programs(page)]
GUIDES = sorted((DOCS / "guides").glob("*.md"))
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


def by_name(value):
    return value.name if hasattr(value, "name") else ""


def reference(place, *arguments):
    """Run docs/reference.py of a copy of the project."""
    return subprocess.run(
        [sys.executable, place / "docs" / "reference.py", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_on_its_reference_page(name):
    """Nothing in a table is undocumented."""
    text = (REFERENCE / f"{name}.md").read_text("utf-8")

    assert [] == [row for row in ROWS[name] if row not in text]
    assert set(ROWS) == {page.stem for page in REFERENCE.glob("*.md")}


def test_reference_pages_are_what_the_tables_say():
    """A table that changed has its page written anew."""
    done = reference(ROOT, "--check")

    assert (0, "") == (done.returncode, done.stderr)


def test_a_stale_page_is_named_and_mended(tmp_path):
    """The check fails on a changed page, a missing one and one too many, says what to do, and doing it helps."""
    shutil.copytree(DOCS, tmp_path / "docs")
    place = tmp_path / "docs" / "reference"
    reference(tmp_path)
    (place / "errors.md").write_text("old")
    (place / "keys.md").unlink()
    (place / "more.md").write_text("")
    before = reference(tmp_path, "--check")
    reference(tmp_path)
    after = reference(tmp_path, "--check")

    said = [
        f"docs/reference/{name}.md is not what the tables say: run `make docs`." for name in ("errors", "keys", "more")
    ]
    assert (1, said) == (before.returncode, before.stderr.splitlines())
    assert (0, "") == (after.returncode, after.stderr)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    """The file is there, and so is the heading."""
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert [] == broken


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists(page):
    """Commands and options in the text are those of the table."""
    known = {row.name: {name for item in cli.build(row).params for name in item.opts} for row in cli.TABLE}
    unknown = [
        (name, options) for name, options in commands(page) if not options <= known.get(name, set()) | {"--help"}
    ]

    assert [] == [name for name, _ in commands(page) if name not in known]
    assert [] == unknown


@pytest.mark.parametrize(("page", "program", "output"), PROGRAMS, ids=by_name)
def test_every_program_runs(server, cache, tmp_path, page, program, output):
    """A block marked as runnable runs as it is on a store and a cache, and prints what the page says."""
    file = tmp_path / "app.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", file],
        cwd=tmp_path,
        env={**os.environ, "REDIS_URL": server.url, "REDIS_CACHE_URL": cache.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr), page
    assert output in (None, done.stdout)


def test_readme_and_guides_have_programs():
    """README and the guide of each part of the kit show it at work."""
    shown = {page.stem for page, _, _ in PROGRAMS}

    assert {"README", "queue", "sessions", "cache", "rate-limits", "health", "roles-and-plans"} <= shown


def test_python_blocks_are_python():
    """Also a piece that cannot run by itself can be read by Python."""
    pieces = [block.body for page in pages() for block in blocks(page) if block.info.startswith("python")]

    for piece in pieces:
        compile(piece, "<page>", "exec", flags=0x2000)  # PyCF_ALLOW_TOP_LEVEL_AWAIT


def test_readme_names_targets_that_exist():
    """`make run` and the like are targets of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in pages() for name in re.findall(r"\bmake ([a-z]+)(?=[`\s])", code(page))}

    assert named <= targets
    assert {"run", "test"} <= named


def code(page):
    text = page.read_text("utf-8")
    return "\n".join(
        [*(block.body for block in blocks(page) if block.info == "sh"), *re.findall(r"`(make [^`]*`)", text)]
    )


def test_the_diagram_is_drawn_from_the_rules():
    """The architecture shows the phases as their table has them."""
    (drawn,) = [block for block in blocks(REFERENCE / "phases.md") if block.info == "mermaid"]

    assert drawn in blocks(DOCS / "architecture.md")


@pytest.mark.parametrize("page", DECISIONS, ids=by_name)
def test_a_decision_fits_a_page(page):
    """A record has its four parts and can be read at a glance."""
    text = page.read_text("utf-8")

    assert ["Context", "Decision", "Consequences", "Out of scope"] == re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert f"# {page.name[:4]}: " == text[:8]
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_gaps():
    """A number is a record's name for ever."""
    assert [f"{number:04}" for number in range(1, len(DECISIONS) + 1)] == [page.name[:4] for page in DECISIONS]


@pytest.mark.parametrize("page", GUIDES, ids=by_name)
def test_a_guide_is_short_and_listed(page):
    """A guide has fewer than 80 lines, and the index knows it."""
    assert len(page.read_text("utf-8").splitlines()) < 80
    assert f"guides/{page.name}" in links(DOCS / "README.md")


ENGINES = {"odd", "engine", "server", "own_server", "sentinel"}
"""Fixtures by which a test meets each engine in turn."""


def reproduced():
    """Return the problems that tests name, and those of them that are met on each engine, by the tests' own texts."""
    told, by_both = set(), set()
    for file in (ROOT / "tests/checks").glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if is_test and (number := re.match(r"(P\d\d):", ast.get_docstring(node) or "")):
                told.add(number[1])
                if ENGINES & {argument.arg for argument in node.args.args}:
                    by_both.add(number[1])
    return told, by_both


def test_what_no_test_reproduces_is_said():
    """The page of checks names the problems whose check was not met by a fault on a real engine."""
    sys.path.insert(0, str(DOCS))
    from pages.doctor import ALONE, UNPROVED

    sys.path.remove(str(DOCS))
    told, by_both = reproduced()
    claimed = {row.number for row in checks.TABLE if row.number != "-"}

    assert claimed == told | set(UNPROVED)
    assert claimed - set(UNPROVED) - set(ALONE) == by_both - set(ALONE)
    assert len(by_both - set(ALONE)) >= 55

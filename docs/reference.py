"""Write docs/reference/* from the tables of the code; with `--check`, fail where a page is stale.

What the code does and what a page says cannot differ, because both read the same table. `make docs` runs this.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from pages import commands, doctor, kit, observe, shapes, yard

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "alerts.md": observe.alert_page,
    "checks.md": doctor.check_page,
    "commands.md": commands.command_page,
    "engine-settings.md": yard.engine_page,
    "errors.md": kit.error_page,
    "events.md": kit.event_page,
    "json.md": shapes.shape_page,
    "grafana-dashboard.json": observe.dashboard,
    "keys.md": kit.key_page,
    "metrics.md": observe.metric_page,
    "phases.md": yard.phase_page,
    "plans.md": yard.plan_page,
    "prometheus-rules.yml": observe.prometheus_rules,
    "settings.md": kit.setting_page,
    "users.md": yard.user_page,
}


def stale() -> dict[Path, str | None]:
    """Return the pages that are not what the tables say, with what they should be; None for one too many."""
    wanted: dict[Path, str | None] = {PLACE / name: make() for name, make in PAGES.items()}
    found = {path: path.read_text("utf-8") for path in PLACE.iterdir()}
    return {path: wanted.get(path) for path in sorted({*wanted, *found}) if wanted.get(path) != found.get(path)}


def write(pages: dict[Path, str | None]) -> None:
    """Write the pages, and remove those without a table."""
    PLACE.mkdir(exist_ok=True)
    for path, text in pages.items():
        if text is None:
            path.unlink()
        else:
            path.write_text(text, "utf-8")


def main() -> int:
    """Write or check, and return the exit status."""
    pages = stale()
    if "--check" not in sys.argv[1:]:
        write(pages)
        return 0
    for path in pages:
        print(f"{path.relative_to(ROOT)} is not what the tables say: run `make docs`.", file=sys.stderr)
    return 1 if pages else 0


if __name__ == "__main__":
    sys.exit(main())

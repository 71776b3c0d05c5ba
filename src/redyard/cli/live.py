"""A view that draws itself again and again in the terminal, until Ctrl-C."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.live import Live

from redyard.cli.views import top
from redyard.errors import RedyardError


def live(ask: Callable[[], Any], every: float) -> None:
    """Ask and draw. A yard that does not answer leaves the last picture; one that never did is an error."""
    console = Console(highlight=False, markup=False, emoji=False)
    with suppress(KeyboardInterrupt), Live(top(ask()), console=console, screen=True, auto_refresh=False) as screen:
        while True:
            time.sleep(every)
            with suppress(RedyardError):
                screen.update(top(ask()), refresh=True)

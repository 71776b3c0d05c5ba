"""Python's garbage collector, and the requests that would wait for it.

A request that waits for Redis keeps its objects alive. Those of some twenty requests are more than the 700 new ones
after which the collector looks for circles, and after some looks it goes through all objects that there are, those of
every imported module too: 20-40 ms in which nobody is answered. What an app made at its start stays, so it is taken out
of the collector's sight once the app has started, and the collector looks less often.
"""

import gc

from redyard.asgi.types import Message, Send

NEW = 10_000
"""New objects after which the collector looks: of some 250 requests that wait. Until then circles take some MB."""

_before = gc.get_freeze_count()  # Python 3.12 freezes some objects of its own


def freeze_at_start(send: Send) -> Send:
    """Return a lifespan's `send` that freezes what was made, just before the app says that it has started."""

    async def send_frozen(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            freeze()
        await send(message)

    return send_frozen


def freeze() -> None:
    """Take what there is out of the collector's sight, once a process. An app that has seen to this is left alone."""
    first, *others = gc.get_threshold()
    if gc.isenabled() and first and gc.get_freeze_count() == _before:
        gc.collect()
        gc.freeze()
        gc.set_threshold(max(first, NEW), *others)

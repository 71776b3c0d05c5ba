"""`python -m redyard.edge INSTANCE RUNTIME AUTHORITIES READY-FD`: terminate TLS for an instance, until SIGTERM.

READY-FD gets one line once clients are accepted. Everything else is in the files of the directories that are named.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redyard.edge.door import LOGGER, Door, listen
from redyard.edge.terms import Place, Terms

new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
with suppress(ImportError):  # the extra "fast" is not installed
    from uvloop import new_event_loop as new_loop


def main() -> None:
    """Serve until SIGTERM."""
    instance, runtime, authorities, ready = sys.argv[1:]
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it complains of every client that breaks off
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(Place(Path(instance), Path(runtime), Path(authorities)), int(ready)))


async def serve(place: Place, ready: int) -> None:
    """Open the port of the instance's spec, say that it is open, and serve."""
    terms = Terms(place)
    listener = listen(terms.spec["bind"], terms.spec["port"])
    door = Door(listener, terms)
    serving = asyncio.create_task(door.serve())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with os.fdopen(ready, "w") as pipe:
        pipe.write("ready\n")
    LOGGER.info("serves %s port %s", terms.spec["bind"], terms.spec["port"])
    gc.freeze()
    try:
        await serving
    except asyncio.CancelledError:
        pass
    finally:
        listener.close()
        await door.close()


if __name__ == "__main__":
    main()

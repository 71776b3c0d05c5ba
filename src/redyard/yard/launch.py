"""Start a yard that outlives the command that starts it, and wait until it serves."""

import json
import os
import subprocess
import sys

from redyard.engine.files import last_lines
from redyard.errors import YardAlreadyRunning, YardDied, revive
from redyard.yard.calls import Answer, Calls
from redyard.yard.home import Home


def launch(home: Home) -> Answer:
    """Start the yard of a directory, detached, and return its status; raise what ended its start."""
    home.prepare()
    reading, writing = os.pipe()
    with home.log.open("ab") as log, os.fdopen(reading) as pipe:
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "redyard", "up", "--ready-fd", str(writing)],
                env=os.environ | {"REDYARD_HOME": str(home.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        news = pipe.read()
    if not news:
        raise YardDied(home=str(home.path), exit_status=child.wait(), log=last_lines(home.log, 6))
    error = json.loads(news)
    if error and error["error"] != YardAlreadyRunning.__name__:
        child.wait()
        raise revive(error)
    child.returncode = 0  # it lives on; the Popen must not warn that it was left alone
    return Calls(home).status()

"""Start everything: the add-on, the web app and its worker. This is what `make run` calls; Ctrl-C ends app and worker.

Only the standard library and the `redyard` command. App and worker run under `redyard run`, each in a process group of
its own, so that a Ctrl-C at the terminal reaches this program alone and each of them is told once. Neither is started
again in silence: when one ends, so does the other, and its status is this program's.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REDYARD = (sys.executable, "-m", "redyard")
YARD_NOT_RUNNING = 10
PATIENCE = 30.0
"""Seconds for the app to become healthy."""
GRACE = 15.0
"""Seconds for app and worker to finish what they have in hand."""


class Failure(Exception):
    """A step failed and has said why; the status is the program's."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


def main() -> int:
    """Run until a signal or until app or worker ends; return the exit status."""
    if find_spec("fastapi") is None:
        print(
            f"The example needs packages of its own: {sys.executable} -m pip install --group example", file=sys.stderr
        )
        return 1
    try:
        return asyncio.run(run(environment()))
    except Failure as failure:
        print(failure, end="\n" if str(failure) else "", file=sys.stderr)
        return failure.status


def environment() -> dict[str, str]:
    """Return the environment of everything that is started: at home in the checkout, on the leash of this process."""
    given = {**os.environ, "AGENT_TASKS_LEASH": "stdin", "PYTHONUNBUFFERED": "1"}
    if home := os.environ.get("REDYARD_HOME"):
        given["REDYARD_HOME"] = str(Path(home).resolve())  # it is meant from here, and the children start elsewhere
    return given


async def run(environ: dict[str, str]) -> int:
    """Bring everything up, stay, and take down what was started."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    instances = await find_addon(environ)
    if stop.is_set():
        return 0
    port = free_port(environ.get("PORT", ""))
    addon = instances[0]["addon"]
    print("Starting the app and its worker", flush=True)
    children: dict[str, Process] = {}
    try:
        children["app"] = await start(app_command(port, environ), addon, environ)
        children["worker"] = await start([sys.executable, "-m", "examples.agent_tasks.worker"], addon, environ)
        ended = await watch(children, stop, port, instances)
    finally:
        await end(children)
    if ended is None:
        print("\nApp and worker have ended. The add-on goes on; `redyard down` ends it.", flush=True)
        return 0
    status = children[ended].returncode or 0
    print(f"The {ended} ended by itself with status {status}, so everything was ended.", file=sys.stderr, flush=True)
    return 128 - status if status < 0 else status or 1


async def find_addon(environ: dict[str, str]) -> list[dict[str, Any]]:
    """Return the instances of the add-on; wake a yard that stands still, and add a Redis where there is none."""
    status, answer = await redyard(environ, "status", quiet=True)
    if status == YARD_NOT_RUNNING:
        status, answer = await redyard(environ, "up", "--detach")
    if status == 0 and not answer["instances"]:
        print("Adding a Redis", flush=True)
        await redyard(environ, "add", "redis")
        status, answer = await redyard(environ, "status")
    if status:
        await redyard(environ, "status")  # aloud: it says why and what to do
    names = {instance["addon"] for instance in answer["instances"]}
    chosen = "redis" if "redis" in names else min(names)
    return [instance for instance in answer["instances"] if instance["addon"] == chosen]


async def redyard(environ: dict[str, str], *arguments: str, quiet: bool = False) -> tuple[int, Any]:
    """Run a command of redyard and return its status and answer; unless quiet, a status other than 0 is a Failure."""
    process = await asyncio.create_subprocess_exec(
        *REDYARD, *arguments, "--json", stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environ, cwd=ROOT
    )
    output, errors = await process.communicate()
    if process.returncode and not quiet:
        raise Failure(process.returncode, explain((output or errors).decode().strip()))
    return process.returncode or 0, None if process.returncode else json.loads(output)


def explain(answer: str) -> str:
    """Return the sentences of an error that a command answered with."""
    try:
        error = json.loads(answer)
        return f"{error['message']}\n{error['hint']}"
    except (ValueError, LookupError, TypeError):
        return answer


def free_port(wanted: str) -> int:
    """Return the port of PORT or 8000, or the next free one."""
    if wanted and not wanted.isdecimal():
        raise Failure(2, f"PORT={wanted!r} is no port.")
    first = int(wanted or 8000)
    for port in range(first, min(first + 50, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise Failure(1, f"No port is free from {first} on: name another in PORT.")


def app_command(port: int, environ: dict[str, str]) -> list[str]:
    """Return the command of the web app; nobody may name another address unless a proxy in front is named."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "examples.agent_tasks.app:create_app"]
    proxy = [] if environ.get("FORWARDED_ALLOW_IPS") else ["--no-proxy-headers"]
    return [*command, "--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "10", *proxy]


async def start(command: list[str], addon: str, environ: dict[str, str]) -> Process:
    """Start a command with the add-on's variables; its standard input is its leash."""
    return await asyncio.create_subprocess_exec(
        *REDYARD, "run", "--name", addon, "--", *command, stdin=PIPE, env=environ, cwd=ROOT, process_group=0
    )


async def watch(
    children: dict[str, Process], stop: asyncio.Event, port: int, instances: list[dict[str, Any]]
) -> str | None:
    """Say when the app is healthy, and wait; return the name of the first that ended, None when told to stop."""
    waits: dict[asyncio.Task[Any], str] = {
        asyncio.create_task(process.wait()): name for name, process in children.items()
    }
    told = asyncio.create_task(stop.wait())
    hello = asyncio.create_task(greet(port, instances))
    try:
        done, _ = await asyncio.wait({*waits, told, hello}, return_when=asyncio.FIRST_COMPLETED)
        if hello in done:
            hello.result()
            done, _ = await asyncio.wait({*waits, told}, return_when=asyncio.FIRST_COMPLETED)
        return None if told in done else next(waits[task] for task in done if task in waits)
    finally:
        for task in (*waits, told, hello):
            task.cancel()


async def greet(port: int, instances: list[dict[str, Any]]) -> None:
    """Wait until the app is healthy and print the addresses."""
    address = f"http://127.0.0.1:{port}"
    last, deadline = "nothing", asyncio.get_running_loop().time() + PATIENCE
    while last != "200":
        if asyncio.get_running_loop().time() > deadline:
            raise Failure(1, f"The app was not healthy within {PATIENCE:g} s: {address}/health/complete said {last}.")
        await asyncio.sleep(0.1)
        last = await asyncio.to_thread(ask, f"{address}/health/complete")
    for instance in instances:
        print(f"  {instance['name']:<12} {instance['phase']} on port {instance['port']}")
    print(f"  app          {address}\n  health       {address}/health/complete")
    print("Ctrl-C ends the app and its worker.", flush=True)


def ask(address: str) -> str:
    """Return the status of an answer, with its body where it is not 200."""
    try:
        with urllib.request.urlopen(address, timeout=5) as response:  # noqa: S310 - our own http address
            return str(response.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(2000).decode(errors='replace')}"
    except OSError as error:
        return str(error)


async def end(children: dict[str, Process]) -> None:
    """Ask each to end, wait, and kill what is left of it."""
    for process in children.values():
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    for process in children.values():
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


if __name__ == "__main__":
    sys.exit(main())

"""The yard's door: its calls as HTTP POST on a Unix socket of its owner alone. There is no TCP port for control."""

import inspect
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redyard.errors import RedyardError, Usage, YardBusy
from redyard.events import LOGGER
from redyard.yard.calls import TIMEOUTS
from redyard.yard.door import LARGEST_HEAD, Door, Pace
from redyard.yard.home import Home
from redyard.yard.peer import NOBODY, Peer
from redyard.yard.yard import Yard

LARGEST_BODY = 65536
"""Bytes of a request; a call's parameters are a few names."""


def make_app(yard: Yard, pace: Pace | None = None) -> Starlette:
    """Return the app that answers each call of the table by the yard's method of that name."""
    pace = pace or Pace()
    return Starlette(routes=[_route(yard, name, pace) for name in TIMEOUTS])


def _route(yard: Yard, name: str, pace: Pace) -> Route:
    method = getattr(yard, name)
    parameters = _parameters(name, method)

    async def answer(request: Request) -> Response:
        if seconds := pace.wait(time.monotonic()):
            return _json(YardBusy(seconds=seconds).to_json(), status=400)
        who = _who(request)
        try:
            asked = msgspec.structs.asdict(_decode(name, await _body(request), parameters))
        except RedyardError as error:
            await yard.trail.end(await yard.trail.begin(name, {"show": True}, who), error)
            return _json(error.to_json(), status=400)
        begun = await yard.trail.begin(name, asked, who)
        try:
            answer = await method(**asked)
        except RedyardError as error:
            await yard.trail.end(begun, error)
            return _json(error.to_json(), status=400)
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered and logged, and ends nothing
            LOGGER.exception("the call %s failed", name)
            await yard.trail.end(begun, error)
            return _json(RedyardError(problem=f"{name} failed: {type(error).__name__}: {error}").to_json(), status=500)
        await yard.trail.end(begun)
        return _json(answer)

    return Route(f"/{name}", answer, methods=["POST"])


def _who(request: Request) -> dict[str, object]:
    """Return who asks, as the system says."""
    told = request.client
    return (Peer(int(told.host), told.port) if told else NOBODY).told()


def _parameters(name: str, method: object) -> type[msgspec.Struct]:
    """Make the type of a call's parameters from the method's own signature."""
    signature = inspect.signature(method)  # type: ignore[arg-type]
    fields = [
        (item.name, item.annotation) if item.default is item.empty else (item.name, item.annotation, item.default)
        for item in signature.parameters.values()
    ]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True)


def _decode(name: str, body: bytes, parameters: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.json.decode(body or b"{}", type=parameters)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Usage(problem=f"{name}: {error}", command=f"redyard {name}") from None


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Usage(problem=f"the request has more than {LARGEST_BODY} bytes", command="redyard")
    return body


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the yard has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def make_server(yard: Yard) -> Server:
    """Return the server of the yard's app; `serve(sockets=[listen(home)])` runs it."""
    config = uvicorn.Config(
        make_app(yard), http=Door, ws="none", lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=2, h11_max_incomplete_event_size=LARGEST_HEAD,
    )  # fmt: skip
    return Server(config)


def listen(home: Home) -> socket.socket:
    """Open the socket, for its owner alone; a dead yard's is removed (the caller holds the yard's lock)."""
    home.api.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(home.api))
    home.api.chmod(0o600)
    door.listen(64)
    return door

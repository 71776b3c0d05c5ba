"""How the app says no: one sentence, as a page for people and as {"error": ...} for programs."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from examples.agent_tasks.guard import Refusal
from examples.agent_tasks.pages import templates
from redyard import RedyardError

LOGGER = logging.getLogger("agent_tasks")


def add_refusals(app: FastAPI) -> None:
    """Register what answers each error."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RedisError, _away)
    app.add_exception_handler(RedyardError, _away)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.message}, error.status, error.headers)
    context = {"status": error.status, "message": error.message}
    return templates.TemplateResponse(request, "error.html", context, error.status, error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "There is no such page." if error.status_code == 404 else error.detail
    return await _refused(request, Refusal(error.status_code, message))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return await _refused(request, Refusal(422, f"The request cannot be read: {where}: {first['msg']}."))


async def _away(request: Request, error: Exception) -> Response:
    LOGGER.error("Redis failed a request to %s: %s: %s", request.url.path, type(error).__name__, error)
    return await _refused(request, Refusal(503, "We cannot reach our memory for a moment. Please try again."))


async def _broken(request: Request, _error: Exception) -> Response:
    return await _refused(request, Refusal(500, "Something broke on our side. It has been written down."))

"""Answers: headers that every answer carries, and faults as short JSON instead of a stack trace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from alm_core.errors import AlmError, MissingFileError
from alm_core.serving.checks import LayerError, RequestError

LOG = logging.getLogger(__name__)
TILE_THREADS = 4
"""Twice the cores of a laptop: while one waits for a block that another decodes, the others go on."""
TILES = ThreadPoolExecutor(TILE_THREADS, thread_name_prefix="alm-tile")
SLOW = ThreadPoolExecutor(1, thread_name_prefix="alm-slow")
"""For work of seconds, such as small copies of rasters: tiles must not wait for it."""
SAFE = {"X-Content-Type-Options": "nosniff"}
KEEP = {"Cache-Control": "public, max-age=604800, immutable"}
"""For addresses with a version."""
ASK_AGAIN = {"Cache-Control": "no-cache"}
Handler = Callable[[Request], Awaitable[Response]]


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function beside the event loop, on one of the threads that make tiles."""
    return await asyncio.get_running_loop().run_in_executor(TILES, function, *arguments)


async def in_slow_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function that takes seconds, on a thread of its own."""
    return await asyncio.get_running_loop().run_in_executor(SLOW, function, *arguments)


def guarded(handler: Handler) -> Handler:
    """Turn every fault into JSON with a reason; what nobody foresaw is logged and answered by 500 without details."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RequestError as fault:
            return refused(str(fault), fault.status)
        except LayerError as fault:
            return refused(str(fault), 404)
        except (MissingFileError, FileNotFoundError):
            return refused("This run has no such file yet: it may be unfinished.", 404)
        except AlmError as fault:
            # Its text may name a file of this machine: it goes to the log alone.
            LOG.warning("%s: %s", request.url.path, fault)
            return refused("This can't be shown: a file of the run is damaged or unfinished. Run the study again.", 422)
        except Exception:
            LOG.exception("%s failed", request.url.path)
            return refused("Something went wrong while this was made. The server's log says more.", 500)

    return answer


def refused(reason: str, status: int) -> JSONResponse:
    """A fault as JSON: ``{"error": reason}``."""
    return JSONResponse({"error": reason}, status, headers=SAFE | {"Cache-Control": "no-store"})


def answered(content: bytes, media_type: str, *, keep: bool, headers: dict[str, str] | None = None) -> Response:
    """Bytes with the headers that all have."""
    caching = KEEP if keep else ASK_AGAIN
    return Response(content, media_type=media_type, headers={**SAFE, **caching, **(headers or {})})


def nothing(*, keep: bool) -> Response:
    """204: there is no data here."""
    return Response(status_code=204, headers={**SAFE, **(KEEP if keep else ASK_AGAIN)})


class Files(StaticFiles):
    """Static files that may be kept where the address has a version, with faults as JSON."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or a reason."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as fault:
            return refused("There is no such file.", fault.status_code)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers.update(SAFE | (KEEP if versioned else ASK_AGAIN))
        return response

"""The routes: browser files, events, single answers, stop. Addresses are those of PROTOCOL.md."""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tutor.panels import assets, payload
from tutor.panels.codec import query_int
from tutor.serve.stream import first_wanted, follow
from tutor.serve.views import view
from tutor.session.jobs import Job
from tutor.session.service import get_service

_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STREAM = _PRIVATE | {"X-Accel-Buffering": "no", "Connection": "keep-alive"}

Answer = Callable[[Job, Request], object]


def make_routes(prefix: str = "") -> list[Route]:
    """All routes of ours.

    Args:
        prefix: Path that the page itself is served under, e.g. "tutor"; empty for the root.
    """
    base = f"/{prefix.strip('/')}/aura" if prefix.strip("/") else "/aura"
    job = f"{base}/jobs/{{token}}"
    return [
        Route(f"{base}/static/{{path:path}}", static_file),
        Route(f"{job}/events", events),
        Route(f"{job}/stop", stop, methods=["POST"]),
        Route(f"{job}/step/{{index:int}}", _answering(_step)),
        Route(f"{job}/position/{{index:int}}", _answering(_position)),
        Route(f"{job}/attention/grid", _answering(_grid)),
        Route(f"{job}/attention", _answering(_attention)),
        Route(f"{job}/view/{{name}}", _answering(_view)),
    ]


def static_file(request: Request) -> Response:
    """A file of the browser's side."""
    asset = assets.read(request.path_params["path"])
    if asset is None:
        return _gone()
    headers = {"Cache-Control": asset.cache_control, "X-Content-Type-Options": "nosniff"}
    return Response(asset.body, headers=headers, media_type=asset.content_type)


async def events(request: Request) -> Response:
    """The live events of a job."""
    job = _job(request)
    if job is None:
        return _gone()
    try:
        start = first_wanted(request.query_params, request.headers)
    except ValueError:
        return _refuse(400)
    return StreamingResponse(follow(job, start), media_type="text/event-stream", headers=_STREAM)


def stop(request: Request) -> Response:
    """Stop a job; what it has written stays. Only who knows the token can ask for it."""
    job = _job(request)
    if job is None:
        return _gone()
    get_service().cancel(job)
    return JSONResponse({"stopping": True}, headers=_PRIVATE)


def _answering(answer: Answer) -> Callable[[Request], Response]:
    """A route that gives one JSON answer about a job; runs in a thread, so it may take its time."""

    def respond(request: Request) -> Response:
        job = _job(request)
        if job is None:
            return _gone()
        try:
            found = answer(job, request)
        except (IndexError, KeyError):
            return _gone()
        except LookupError:
            return _refuse(409)
        except ValueError as error:
            return _refuse(400 if "invalid literal" in str(error) else 409)
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return Response(text, media_type="application/json", headers=_PRIVATE)

    return respond


def _step(job: Job, request: Request) -> object:
    return payload.step_record(job.trace(_draft(request)), request.path_params["index"])


def _position(job: Job, request: Request) -> object:
    return payload.position_record(job.trace(_draft(request)), request.path_params["index"])


def _grid(job: Job, request: Request) -> object:
    return payload.attention_grid(job.trace(_draft(request)))


def _attention(job: Job, request: Request) -> object:
    query = request.query_params
    layer, head = query_int(query, "layer", 0) or 0, query_int(query, "head", 0) or 0
    start, end = query_int(query, "from", 0) or 0, query_int(query, "to")
    return payload.attention_rows(job.trace(_draft(request)), layer, head, start, end)


def _view(job: Job, request: Request) -> object:
    tutor = get_service().shelf.peek(job.model)
    return view(request.path_params["name"], job.trace(_draft(request)), tutor, request.query_params)


def _draft(request: Request) -> int | None:
    return query_int(request.query_params, "draft")


def _job(request: Request) -> Job | None:
    return get_service().registry.get(request.path_params["token"])


def _gone() -> Response:
    return JSONResponse({"error": "gone"}, status_code=404, headers=_PRIVATE)


def _refuse(code: int) -> Response:
    return JSONResponse({"error": "not now" if code == 409 else "bad request"}, code, headers=_PRIVATE)

"""A page of its own for looking at the panels: replays real traces through the real protocol.

    python tests/panels/demo/serve.py [--model FOLDER] [--rate 8] [--port 8600]

Without a model it builds a small one with random weights. Address options of the page:
?lang=ja|en, ?theme=light|dark, ?job=long|sampled|drafts, ?live=0 (the finished reply at once).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.panels.demo.tiny import build
from tutor.config import SamplingConfig
from tutor.engine.generate import generate, new_trace
from tutor.model.registry import LoadedModel, load_model
from tutor.panels import assets, codec, payload
from tutor.serve import views
from tutor.trace import Part, Trace

HERE = Path(__file__).resolve().parent


@dataclass
class Replay:
    """Recorded traces sent again, one step at a time."""

    traces: list[Trace]
    rate: float = 8.0
    sent: list[int] = field(default_factory=list)

    def events(self) -> list[tuple[str, dict[str, object]]]:
        """The whole log of the job, in order."""
        log: list[tuple[str, dict[str, object]]] = [("status", {"state": "queued", "place": 1, "of": 2})]
        drafts: list[dict[str, object]] = []
        for number, trace in enumerate(self.traces):
            drafts.append({"draft": number, "state": "writing"})
            log.append(("status", {"state": "running", "drafts": [dict(item) for item in drafts]}))
            log.append(("prefill", payload.prefill(trace, number)))
            log.extend(("step", payload.step(step, number)) for step in trace.steps)
            last = number == len(self.traces) - 1
            drafts[-1] = {
                "draft": number,
                "state": "kept" if last else "withdrawn",
                "reason": "12は16である。",
            }
        final = {"state": "finished", "reason": self.traces[-1].finish, "drafts": drafts}
        return [*log, ("status", final), ("end", {})]


def record(loaded: LoadedModel, question: str, sampling: SamplingConfig) -> Trace:
    """Let the model answer, recording everything."""
    texts: list[tuple[Part, str]] = [
        ("persona", "アウラは残差接続を説明する。"),
        ("note", "残差接続は、入力をそのまま出力に足す。深い層まで勾配が届く。"),
        ("history", "attentionとは何？ 位置の間で情報を運ぶ仕組みよ。"),
        ("question", question),
    ]
    ids: list[int] = []
    parts: list[Part] = []
    for part, text in texts:
        piece = loaded.tokenizer.encode(text)
        ids += piece
        parts += [part] * len(piece)
    trace = new_trace(loaded, sampling)
    for _ in generate(loaded, ids, parts, sampling, trace=trace):
        pass
    return trace


def make_jobs(loaded: LoadedModel, rate: float) -> dict[str, Replay]:
    """The demo's replies: a sampled one, a long greedy one, one with a withdrawn draft."""
    drawn = SamplingConfig(temperature=0.8, top_k=40, top_p=0.9, seed=7, max_new_tokens=60)
    long = SamplingConfig(temperature=1.0, seed=3, max_new_tokens=400)
    first = record(loaded, "なぜ残差接続が要るの？", drawn)
    second = record(loaded, "なぜ残差接続が要るの？", SamplingConfig(max_new_tokens=30))
    return {
        "sampled": Replay([first], rate),
        "long": Replay([record(loaded, "GPT-2はどうやって文を書くの？", long)], 40 * rate),
        "drafts": Replay([second, first], rate),
    }


def _answer(make: Callable[[], object]) -> Response:
    try:
        return JSONResponse(make())
    except (IndexError, KeyError):
        return JSONResponse({"error": "gone"}, status_code=404)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=409)


def app(jobs: dict[str, Replay], loaded: LoadedModel | None = None) -> Starlette:
    """All routes of the protocol over these jobs; derived views with this model, or none."""

    def trace_of(request: Request) -> Trace:
        traces = jobs[request.path_params["token"]].traces
        return traces[codec.query_int(request.query_params, "draft", len(traces) - 1) or 0]

    async def events(request: Request) -> Response:
        job = jobs.get(request.path_params["token"])
        if job is None:
            return JSONResponse({"error": "gone"}, status_code=404)
        last = request.headers.get("last-event-id")
        start = int(last) + 1 if last else codec.query_int(request.query_params, "from", 0) or 0
        pause = 0.0 if "live=0" in request.headers.get("referer", "") else 1 / job.rate

        async def stream() -> AsyncIterator[str]:
            for number, (name, data) in enumerate(job.events()[start:], start):
                yield codec.sse(name, json.dumps(data), number)
                await asyncio.sleep(pause)

        return StreamingResponse(
            stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def attention(request: Request) -> Response:
        ask = request.query_params
        layer, head = codec.query_int(ask, "layer", 0) or 0, codec.query_int(ask, "head", 0) or 0
        first, stop = codec.query_int(ask, "from", 0) or 0, codec.query_int(ask, "to")
        return _answer(lambda: payload.attention_rows(trace_of(request), layer, head, first, stop))

    async def grid(request: Request) -> Response:
        return _answer(lambda: payload.attention_grid(trace_of(request)))

    async def step(request: Request) -> Response:
        return _answer(lambda: payload.step_record(trace_of(request), request.path_params["i"]))

    async def position(request: Request) -> Response:
        return _answer(lambda: payload.position_record(trace_of(request), request.path_params["p"]))

    def view(request: Request) -> Response:
        tutor = None if loaded is None else SimpleNamespace(loaded=loaded)
        name = request.path_params["name"]
        return _answer(lambda: views.view(name, trace_of(request), tutor, request.query_params))

    async def static(request: Request) -> Response:
        found = assets.read(request.path_params["path"])
        if found is None:
            return Response(status_code=404)
        return Response(found.body, headers={"Content-Type": found.content_type, "Cache-Control": "no-cache"})

    async def page(_: Request) -> Response:
        return HTMLResponse((HERE / "page.html").read_text(encoding="utf-8"))

    async def texts(_: Request) -> Response:
        import tomllib

        return JSONResponse(
            tomllib.loads((HERE.parents[2] / "prompts" / "ui.toml").read_text(encoding="utf-8"))
        )

    base = "/aura/jobs/{token}"
    return Starlette(
        routes=[
            Route("/", page),
            Route("/texts", texts),
            Route("/aura/static/{path:path}", static),
            Route(f"{base}/events", events),
            Route(f"{base}/attention", attention),
            Route(f"{base}/attention/grid", grid),
            Route(f"{base}/step/{{i:int}}", step),
            Route(f"{base}/position/{{p:int}}", position),
            Route(f"{base}/view/{{name}}", view),
        ]
    )


def main() -> None:
    """Build or load a model, record the replies, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--rate", type=float, default=8.0, help="steps per second")
    parser.add_argument("--port", type=int, default=8600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(options.model or str(build(Path(folder) / "tiny")))
    uvicorn.run(app(make_jobs(loaded, options.rate), loaded), port=options.port, log_level="warning")


if __name__ == "__main__":
    main()

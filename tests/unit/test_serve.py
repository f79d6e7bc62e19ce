"""The routes: what travels is what was recorded, resumes without loss, and stays private."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.pagemodel import page_folder, page_tutor, service  # noqa: F401
from tests.unit.test_stream import parse
from tutor.config import SamplingConfig
from tutor.errors import OutOfMemory
from tutor.panels.codec import unpack_f32
from tutor.serve.routes import make_routes
from tutor.session.conversation import Session
from tutor.session.jobs import Job
from tutor.session.records import Failure
from tutor.session.service import Service
from tutor.trace import Trace
from tutor.views import compute


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:  # noqa: F811
    with TestClient(Starlette(routes=make_routes())) as made:
        yield made
    service.close()


@pytest.fixture
def finished(service: Service) -> Job:  # noqa: F811
    session = Session(service, "en")
    turn = session.ask("What is GPT-2?", SamplingConfig(max_new_tokens=10, temperature=1.0, seed=5))
    job = turn.current.jobs[0]
    assert job.wait(60)
    return job


def test_the_stream_tells_the_whole_reply(client: TestClient, finished: Job) -> None:
    """Guards against a lost, repeated or reordered event."""
    answer = client.get(f"/aura/jobs/{finished.token}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    events = parse(answer.text)
    logged = [item for item in events if item[0] is not None]
    assert [number for number, _, _ in logged] == list(range(len(logged)))
    assert [name for _, name, _ in logged] == [entry.event for entry in finished.entries(0, 9999)]
    assert events[0][1] == "status", "the state comes first, so that nothing is drawn without it"
    steps = [data for _, name, data in logged if name == "step" and data["draft"] == finished.chosen]
    trace = finished.trace(finished.chosen)
    assert [step["token"]["id"] for step in steps] == [step.token.token_id for step in trace.steps]
    assert [step["logprob"] for step in steps] == [step.logprob for step in trace.steps]
    last = [data for _, name, data in events if name == "status"][-1]
    assert last["state"] == "finished" and last["reason"] == finished.status().reason


def test_a_listener_that_comes_back_gets_the_rest_and_no_more(client: TestClient, finished: Job) -> None:
    whole = [
        item for item in parse(client.get(f"/aura/jobs/{finished.token}/events").text) if item[0] is not None
    ]
    cut = len(whole) // 2
    headers = {"Last-Event-ID": str(cut - 1)}
    rest = parse(client.get(f"/aura/jobs/{finished.token}/events?from=0", headers=headers).text)
    assert [item for item in rest if item[0] is not None] == whole[cut:], "the header wins over the query"
    again = parse(client.get(f"/aura/jobs/{finished.token}/events?from={cut}").text)
    assert [item for item in again if item[0] is not None] == whole[cut:]


def test_asking_from_behind_the_end_closes_at_once(client: TestClient, finished: Job) -> None:
    """Guards against a connection that is held open for ever."""
    events = parse(client.get(f"/aura/jobs/{finished.token}/events?from=99999").text)
    assert [name for _, name, _ in events] == ["status"]


@pytest.mark.parametrize(
    "path", ["events", "step/0", "position/0", "attention", "attention/grid", "view/lens"]
)
def test_an_unknown_token_is_gone(client: TestClient, path: str) -> None:
    answer = client.get(f"/aura/jobs/no-such-token/{path}")
    assert answer.status_code == 404 and answer.json() == {"error": "gone"}


def test_exact_rows_and_records_are_the_traces_own(client: TestClient, finished: Job) -> None:
    trace = finished.trace(finished.chosen)
    base = f"/aura/jobs/{finished.token}"
    draft = f"draft={finished.chosen}"
    step = client.get(f"{base}/step/2?{draft}").json()
    assert step["logprob"] == trace.steps[2].logprob
    rows = client.get(f"{base}/attention?layer=1&head=1&from={trace.prompt_length}&{draft}").json()
    expected = trace.attention_map(1, 1)
    assert expected is not None
    wanted = np.concatenate([expected[q, : q + 1] for q in range(trace.prompt_length, len(expected))])
    assert np.array_equal(unpack_f32(rows["data"]), wanted)
    assert client.get(f"{base}/position/0?{draft}").json()["token"]["id"] == trace.tokens()[0].token_id
    assert client.get(f"{base}/attention/grid?{draft}").json()["blocks"] > 0


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("step/9999", 404),
        ("position/9999", 404),
        ("attention?layer=77", 404),
        ("attention?layer=0&head=77", 404),
        ("attention?layer=abc", 400),
        ("attention?layer=0&draft=77", 404),
        ("view/no_such_view", 404),
        ("view/..%2f..%2fsecrets", 404),
        ("view/__init__", 404),
        ("events?from=abc", 400),
    ],
)
def test_nonsense_is_refused_without_a_traceback(
    client: TestClient, finished: Job, path: str, code: int
) -> None:
    answer = client.get(f"/aura/jobs/{finished.token}/{path}")
    assert answer.status_code == code and "Traceback" not in answer.text


def test_a_derived_view_comes_with_the_models_weights(client: TestClient, finished: Job) -> None:
    """Guards against a view of another draft, and against nonsense that ends in a traceback."""
    trace = finished.trace(finished.chosen)
    base = f"/aura/jobs/{finished.token}/view"
    draft = f"draft={finished.chosen}"
    found = client.get(f"{base}/whatif?step=2&{draft}").json()
    assert found["chosen"] == trace.steps[2].token.token_id and found["recorded_draw"] == trace.steps[2].draw
    pair = client.get(f"{base}/pair?step=2&layer=1&head=1&key=0&{draft}").json()
    square = trace.attention_map(1, 1)
    assert (
        square is not None
        and pair["recorded"] == float(square[pair["query"], 0])
        and pair["difference"] < 1e-6
    )
    for query, code in (
        ("step=9999", 404),
        ("step=x", 400),
        ("step=1&temperature=nan", 400),
        ("step=1&draw=2", 400),
    ):
        assert client.get(f"{base}/whatif?{query}&{draft}").status_code == code, query


def test_before_the_prompt_is_read_the_answer_is_not_now(client: TestClient, service: Service) -> None:  # noqa: F811
    job = Job("q", SamplingConfig())
    job.start_draft(Trace("m", "cpu", 2, 2, 32, 9, 9, {}))
    service.registry.add(job)
    assert client.get(f"/aura/jobs/{job.token}/attention/grid").status_code == 409


def test_stop_needs_the_token_and_post(client: TestClient, service: Service) -> None:  # noqa: F811
    session = Session(service, "en")
    job = session.ask("What is a token?", SamplingConfig(max_new_tokens=380, temperature=1.0)).current.jobs[0]
    assert client.get(f"/aura/jobs/{job.token}/stop").status_code == 405
    assert client.post("/aura/jobs/other/stop").status_code == 404
    assert not job.stop.is_set()
    assert client.post(f"/aura/jobs/{job.token}/stop").status_code == 200
    assert job.wait(20) and job.status().reason == "stopped"


def test_sentences_of_the_status_are_in_the_students_language(client: TestClient, service: Service) -> None:  # noqa: F811
    said = {}
    for lang in ("ja", "en"):
        job = Job("q", SamplingConfig(), lang=lang)
        job.notify("notice_dropped", n=3)
        job.start_draft(Trace("m", "cpu", 2, 2, 32, 9, 9, {}))
        job.end_draft("x", True, (Failure("figure", "77"), Failure("never heard of")), ())
        job.fail(OutOfMemory("developer's words"))
        service.registry.add(job)
        said[lang] = parse(client.get(f"/aura/jobs/{job.token}/events").text)[0][2]
    for lang, status in said.items():
        assert status["state"] == "failed" and status["error"]["key"] == "out_of_memory"
        assert "developer" not in json.dumps(status)
        assert "3" in status["notices"][0] and "77" in status["drafts"][0]["reason"], lang
    assert said["ja"]["error"]["text"] != said["en"]["error"]["text"]


def test_files_come_with_their_types_and_nothing_else_comes(client: TestClient) -> None:
    script = client.get("/aura/static/store.js")
    assert script.headers["content-type"].startswith("text/javascript") and script.status_code == 200
    assert client.get("/aura/static/base.css").headers["content-type"].startswith("text/css")
    for path in ("../assets.py", "..%2fassets.py", "%2e%2e/assets.py", "/etc/passwd", "a/b/store.js", ""):
        assert client.get(f"/aura/static/{path}").status_code == 404, path


def test_routes_move_with_the_pages_own_path(service: Service) -> None:  # noqa: F811
    with TestClient(Starlette(routes=make_routes("/tutor/"))) as client:
        assert client.get("/tutor/aura/static/store.js").status_code == 200
        assert client.get("/aura/static/store.js").status_code == 404


def test_one_answer_is_never_stored_by_others(client: TestClient, finished: Job) -> None:
    """Guards a student's reply against shared caches."""
    for path in ("step/0", "attention/grid", "events"):
        assert client.get(f"/aura/jobs/{finished.token}/{path}").headers["cache-control"] == "no-store"


def test_a_derived_view_comes_from_the_record(client: TestClient, finished: Job, service: Service) -> None:  # noqa: F811
    """Guards the way from the address to the engine's views, with a real view."""
    loaded = service.shelf.get(finished.model).loaded
    trace = finished.trace(finished.chosen)
    answer = client.get(f"/aura/jobs/{finished.token}/view/ranks?from=0&to=2&draft={finished.chosen}")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(compute("ranks", loaded, trace, {"from": "0", "to": "2"})))


def test_a_view_of_a_model_that_is_no_longer_loaded_is_gone(client: TestClient, finished: Job) -> None:
    finished.model = "put away long ago"
    assert client.get(f"/aura/jobs/{finished.token}/view/ranks?from=0&to=2").status_code == 404

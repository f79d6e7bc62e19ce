"""A student's conversation, with a real (tiny, random) model behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.pagemodel import page_folder, page_tutor, service  # noqa: F401
from tutor.config import AppConfig, SamplingConfig
from tutor.errors import QuestionError, QueueFull
from tutor.session.conversation import Session, another
from tutor.session.jobs import Job
from tutor.session.service import Service
from tutor.session.texts import load_texts
from tutor.teach import Tutor

SHORT = SamplingConfig(max_new_tokens=6, temperature=1.0, seed=1)


@pytest.fixture
def session(service: Service) -> Session:  # noqa: F811
    return Session(service, "en")


def done(session: Session) -> None:
    for job in session.pending:
        assert job.wait(60)


def test_a_question_is_answered_and_recorded(session: Session) -> None:
    turn = session.ask("What does LayerNorm do?", SHORT)
    job = turn.current.jobs[0]
    assert job.wait(60)
    status = job.status()
    assert status.state == "finished" and status.error is None
    assert job.topic is not None and job.topic.lang == "en" and "layernorm" in job.topic.topics[0]
    assert job.topic.notes and all(job.topic.notes[0])
    assert 1 <= len(job.topic.follow_ups) <= 3
    trace = job.trace(job.chosen)
    assert trace.prefill is not None and len(trace.steps) >= 1
    tokenizer = session.service.shelf.get(session.model).loaded.tokenizer
    ids = [step.token.token_id for step in trace.steps if not step.token.special]
    assert turn.current.text == tokenizer.decode(ids).strip()
    assert [entry.event for entry in job.entries(0, 9999)][-1] == "end"


def test_the_same_seed_gives_the_same_reply_and_another_seed_does_not(service: Service) -> None:  # noqa: F811
    texts = []
    for seed in (1, 1, 2):
        session = Session(service, "en")
        turn = session.ask("What is GPT-2?", SamplingConfig(max_new_tokens=12, temperature=1.0, seed=seed))
        done(session)
        texts.append(turn.current.text)
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    "question",
    [
        "",
        "   ",
        "🙂🙂🙂",
        "a\x00b\x07\u202e c",
        "مرحبا كيف الحال",
        "<script>alert(1)</script>",
        "# **x** `y` $z$",
        "あ" * 2000,
    ],
)
def test_odd_questions_are_answered_and_kept_as_typed(session: Session, question: str) -> None:
    """Guards against a crash on odd text, and against showing the student something they did not type."""
    turn = session.ask(question, SHORT)
    done(session)
    assert turn.question == question
    assert turn.current.jobs[0].status().state == "finished"


def test_a_long_question_is_refused_with_the_limit_and_changes_nothing(session: Session) -> None:
    with pytest.raises(QuestionError) as caught:
        session.ask("長" * 100_000, SHORT)
    assert caught.value.key == "question_too_long"
    assert caught.value.values == {"length": 100_000, "limit": 2000}
    assert session.turns == [] and session.pending == []
    for lang, texts in load_texts().items():
        assert "2000" in texts.error(caught.value), lang


def test_one_question_may_wait_behind_the_running_one(session: Session) -> None:
    """Guards the line against one student filling it, and the waiting question against missing history."""
    first = session.ask("What is a token?", SamplingConfig(max_new_tokens=200))
    second = session.ask("And why?", SHORT)
    with pytest.raises(QuestionError) as caught:
        session.ask("third", SHORT)
    assert caught.value.key == "busy" and len(session.turns) == 2
    done(session)
    assert session.past(second)[0].question == "What is a token?"
    prompt = second.current.jobs[0].trace(0).prefill
    assert prompt is not None and any(info.part == "history" for info in prompt.tokens)
    first_prompt = first.current.jobs[0].trace(0).prefill
    assert first_prompt is not None and all(info.part != "history" for info in first_prompt.tokens)


def test_stop_keeps_the_partial_reply_and_lets_the_next_one_start(session: Session) -> None:
    long = SamplingConfig(max_new_tokens=380, temperature=1.0)
    first = session.ask("What is a token?", long).current.jobs[0]
    second = session.ask("And why?", SHORT).current.jobs[0]
    started = threading.Event()
    first.listen(lambda: started.set() if first.entries(2, 1) else None)
    assert started.wait(30)
    session.stop()
    assert first.wait(10) and first.status().reason == "stopped"
    steps = len(first.trace(first.chosen).steps)
    assert 0 < steps < 380 and first.text
    assert second.wait(30) and second.status().state == "finished"
    assert second.status().reason != "stopped"


def test_again_adds_a_try_with_another_seed_and_keeps_the_first(session: Session) -> None:
    turn = session.ask("What is GPT-2?", SamplingConfig(max_new_tokens=12))
    done(session)
    first = turn.current.text
    session.again(SamplingConfig(max_new_tokens=12))
    done(session)
    assert len(turn.tries) == 2 and turn.shown == 1
    assert turn.tries[0].text == first
    settings = turn.tries[1].jobs[0].sampling
    assert settings.seed != 0 and settings.temperature > 0, "greedy would only repeat itself"
    session.show_try(turn, 0)
    assert turn.current.text == first
    session.show_try(turn, 99)
    assert turn.shown == 1


def test_another_never_leaves_the_allowed_seeds() -> None:
    assert another(SamplingConfig(seed=2**63 - 1), 3).seed < 2**63


def test_continue_goes_on_from_the_very_tokens(session: Session) -> None:
    """Guards against re-tokenising the text, which may give other ids, and against asking twice."""
    turn = session.ask("What is GPT-2?", SHORT)
    done(session)
    first = turn.current.jobs[0]
    written = [s.token.token_id for s in first.trace(first.chosen).steps if not s.token.special]
    session.go_on(SHORT)
    done(session)
    assert len(turn.current.jobs) == 2
    prompt = turn.current.jobs[1].trace(0).prefill
    assert prompt is not None
    tail = prompt.tokens[-len(written) :]
    assert [info.token_id for info in tail] == written and all(info.part == "reply" for info in tail)
    assert turn.current.text.startswith(first.text)
    assert len(session.turns) == 1


def test_edit_replaces_the_last_question_only(session: Session) -> None:
    session.ask("What is GPT-2?", SHORT)
    session.ask("And why?", SHORT)
    done(session)
    session.edit("What is a token?", SHORT)
    done(session)
    assert [turn.question for turn in session.turns] == ["What is GPT-2?", "What is a token?"]


def test_a_refused_edit_keeps_the_old_question(session: Session) -> None:
    session.ask("What is GPT-2?", SHORT)
    done(session)
    with pytest.raises(QuestionError):
        session.edit("x" * 5000, SHORT)
    assert [turn.question for turn in session.turns] == ["What is GPT-2?"]


def test_nothing_can_be_changed_while_a_reply_is_written(session: Session) -> None:
    session.ask("What is a token?", SamplingConfig(max_new_tokens=300))
    for act in (lambda: session.again(SHORT), lambda: session.go_on(SHORT), lambda: session.edit("x", SHORT)):
        with pytest.raises(QuestionError):
            act()
    session.stop()
    done(session)


def test_commit_notices_an_end_once(session: Session) -> None:
    session.ask("What is GPT-2?", SHORT)
    assert not session.commit() or session.turns[0].done
    done(session)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(session.commit())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(True) == 1


def test_one_student_never_reaches_anothers_conversation(service: Service) -> None:  # noqa: F811
    a, b = Session(service, "en"), Session(service, "ja")
    ours = a.ask("What is GPT-2?", SHORT)
    theirs = b.ask("GPT-2って何？", SHORT)
    done(a)
    done(b)
    assert a.key != b.key and len(a.turns) == len(b.turns) == 1
    assert all(past.question != theirs.question for past in a.past(ours))
    prompt = theirs.current.jobs[0].trace(0).prefill
    assert prompt is not None and all(info.part != "history" for info in prompt.tokens)
    a.clear()
    assert service.registry.get(theirs.current.jobs[0].token) is not None
    assert service.registry.get(ours.current.jobs[0].token) is None


def test_a_new_conversation_stops_and_forgets_the_old_one(session: Session) -> None:
    job = session.ask("What is a token?", SamplingConfig(max_new_tokens=380)).current.jobs[0]
    session.clear()
    assert session.turns == [] and session.pending == []
    assert job.wait(30) and session.service.registry.get(job.token) is None


def test_a_long_conversation_is_cut_at_whole_turns_and_says_so(session: Session) -> None:
    """Guards against a silent cut: the student must know what Aura no longer sees."""
    for number in range(9):
        session.ask(
            f"What is attention, please explain it to me in words, attempt number {number}?",
            SamplingConfig(max_new_tokens=60),
        )
        done(session)
    notices = {notice.key: notice.values for notice in session.turns[-1].current.jobs[0].status().notices}
    assert "notice_dropped" in notices
    dropped = notices["notice_dropped"]["n"]
    assert isinstance(dropped, int) and 1 <= dropped < 9


def test_old_records_are_given_back_and_texts_stay(session: Session) -> None:
    for number in range(5):
        session.ask(f"What is GPT-2 number {number}?", SHORT)
        done(session)
    jobs = [turn.current.jobs[0] for turn in session.turns]
    assert [job.dropped for job in jobs] == [True, True, False, False, False]
    assert all(job.text for job in jobs)
    jobs[-1].drop_records()
    with pytest.raises(QuestionError):
        session.go_on(SHORT)


def test_a_missing_model_is_an_error_and_the_old_one_stays(session: Session) -> None:
    before = session.model
    session.service.model("/nowhere/at-all")
    session.wanted = "/nowhere/at-all"
    assert session.service.model("/nowhere/at-all").ended.wait(20)
    error = session.settle_model()
    assert error is not None and error.key == "model_not_found"
    assert session.model == before and session.wanted is None
    assert session.settle_model() is None
    session.ask("What is GPT-2?", SHORT)
    done(session)
    assert session.turns[-1].current.jobs[0].status().state == "finished"


def test_a_question_to_a_missing_model_fails_in_words(session: Session) -> None:
    session.model = "/nowhere/at-all"
    job = session.ask("What is GPT-2?", SHORT).current.jobs[0]
    assert job.wait(30)
    status = job.status()
    assert status.state == "failed" and status.error is not None and status.error.key == "model_not_found"
    assert status.notices == (), "nothing is being loaded any more"


def test_a_full_line_is_said_and_the_conversation_stays() -> None:
    hold = threading.Event()

    def write(job: Job, tutor: Tutor, capture: object) -> None:
        assert hold.wait(20)
        job.finish("end")

    crowded = Service(AppConfig(model="x", max_queue=2), load=str.upper, write=write)
    students = [Session(crowded) for _ in range(4)]
    running = students[0].ask("q", SHORT).current.jobs[0]
    for _ in range(200):
        if running.status().state == "running":
            break
        threading.Event().wait(0.01)
    students[1].ask("q", SHORT)
    students[2].ask("q", SHORT)
    with pytest.raises(QueueFull):
        students[3].ask("q", SHORT)
    assert students[3].turns == []
    hold.set()
    crowded.close()


@pytest.fixture(autouse=True)
def no_thread_left(service: Service) -> Iterator[None]:  # noqa: F811
    yield
    service.close()

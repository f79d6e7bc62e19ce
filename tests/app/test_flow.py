"""The page through Streamlit's own test client: what a student sees and can do, without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app_pages import chat
from tests.pagemodel import page_folder, page_tutor, service  # noqa: F401
from tutor.config import ROOT
from tutor.session.conversation import Session
from tutor.session.service import Service
from tutor.session.texts import load_texts

TEXTS = load_texts()


@pytest.fixture(params=["en", "ja"])
def lang(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def page(service: Service, lang: str) -> AppTest:  # noqa: F811
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params["lang"] = lang
    return at.run()


def session_of(at: AppTest) -> Session:
    return at.session_state["visit"].session


def settle(at: AppTest) -> AppTest:
    """Wait for the replies under way, then draw the page again as the browser would."""
    for job in session_of(at).pending:
        assert job.wait(60)
    return at.run()


def component(at: AppTest, name: str) -> list[dict[str, Any]]:
    """Data of every mounted component of that name."""
    found = []
    for element in at.get("bidi_component"):
        proto = element.proto
        if proto.component_name.endswith(name):
            found.append(json.loads(proto.json))
    return found


def everything_said(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.text, at.error, at.header, at.info, at.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def page_texts(at: AppTest) -> dict[str, str]:
    return TEXTS[session_of(at).lang]


def clean(at: AppTest) -> None:
    """No error of the program on the page, ever."""
    assert not at.exception and "Traceback" not in everything_said(at)


def test_the_first_screen_greets_and_offers_ten_questions(page: AppTest, lang: str) -> None:
    clean(page)
    texts = TEXTS[lang]
    assert page.header[0].value == texts["greeting_title"]
    starters = page.pills(key="starters")
    assert starters.options == [texts[f"starter_{n}"] for n in range(1, 11)]
    assert page.chat_input[0].placeholder == texts["input_placeholder"]
    assert len(component(page, "instruments")) == 1


def test_a_question_is_answered(page: AppTest, lang: str) -> None:
    """The whole way: typed, queued, written by the model, committed once."""
    question = {"ja": "LayerNormは何をしているの？", "en": "What does LayerNorm do?"}[lang]
    page.chat_input[0].set_value(question).run()
    clean(page)
    settle(page)
    clean(page)
    assert [message.name for message in page.chat_message] == ["user", "assistant"]
    assert page.text[0].value == question
    reply = component(page, "reply")
    job = session_of(page).turns[0].current.jobs[0]
    assert len(reply) == 1 and reply[0]["job"] == job.token and reply[0]["text"] == job.text != ""
    assert component(page, "instruments")[0]["job"] == job.token
    said = everything_said(page)
    assert "LayerNorm" in said and TEXTS[lang]["kind_what"] in said
    assert page.expander, "the note stands beside the reply"
    assert session_of(page).turns[0].committed


def test_a_starter_asks_its_question(page: AppTest, lang: str) -> None:
    question = TEXTS[lang]["starter_4"]
    page.pills(key="starters").set_value(question).run()
    settle(page)
    clean(page)
    assert [turn.question for turn in session_of(page).turns] == [question]


def test_while_it_is_written_one_may_stop_and_ask_ahead(page: AppTest, lang: str) -> None:
    page.slider(key="max_new_tokens-0").set_value(400)
    page.slider(key="temperature-0").set_value(1.0)
    page.chat_input[0].set_value("What is a token?").run()
    assert page.button(key="stop").label == TEXTS[lang]["stop"]
    page.chat_input[0].set_value("And why?").run()
    clean(page)
    page.button(key="stop").click().run()
    first, second = (turn.current.jobs[0] for turn in session_of(page).turns)
    assert first.wait(20) and first.status().reason in ("stopped", "end", "length")
    assert first.stop.is_set() and not second.stop.is_set()
    settle(page)
    assert second.status().state == "finished"
    with pytest.raises(KeyError):
        page.button(key="stop")


def test_a_rerun_in_mid_reply_neither_loses_nor_restarts_it(page: AppTest) -> None:
    page.slider(key="max_new_tokens-0").set_value(400)
    page.chat_input[0].set_value("What is a token?").run()
    token = session_of(page).pending[0].token
    for _ in range(4):
        page.run()
    assert [job.token for job in session_of(page).turns[0].current.jobs] == [token]
    page.button(key="stop").click().run()
    settle(page)
    assert component(page, "reply")[0]["job"] == token


def test_a_long_question_is_refused_in_words_and_offered_back(page: AppTest, lang: str) -> None:
    long = "あ" * 100_000
    page.chat_input[0].set_value(long).run()
    clean(page)
    said = TEXTS[lang].say("question_too_long", length=100_000, limit=2000)
    assert [error.value for error in page.error] == [said]
    assert session_of(page).turns == []
    assert page.chat_input[0].proto.value == long, "the text is still in the field"
    page.chat_input[0].set_value("What is GPT-2?").run()
    assert not page.error, "the next good question takes the message away"
    settle(page)


@pytest.mark.parametrize(
    "question",
    [" ", "🙂", "<b>x</b><script>alert(1)</script>", "[a](javascript:x) **b** $c$", "\u202eabc\x07"],
)
def test_odd_text_is_shown_as_typed_and_answered(page: AppTest, question: str) -> None:
    """Guards against text of a student that becomes markup."""
    page.chat_input[0].set_value(question).run()
    settle(page)
    clean(page)
    assert page.text[0].value == (question if question.strip() else f"({page_texts(page)['kind_empty']})")
    markup = "\n".join(
        str(element.value) for kind in (page.markdown, page.caption, page.get("html")) for element in kind
    )
    assert question.strip() == "" or question not in markup


def test_the_language_can_be_switched_in_mid_conversation(page: AppTest, lang: str) -> None:
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    other = {"ja": "en", "en": "ja"}[lang]
    page.segmented_control(key="lang").set_value(other).run()
    clean(page)
    assert page.chat_input[0].placeholder == TEXTS[other]["input_placeholder"]
    assert component(page, "instruments")[0]["lang"] == other
    assert len(session_of(page).turns) == 1
    assert page.query_params["lang"] == other, "a reload keeps it"


def test_again_keeps_both_answers(page: AppTest) -> None:
    page.slider(key="max_new_tokens-0").set_value(16)
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    turn = session_of(page).turns[0]
    page.button(key=f"again-{turn.key}").click().run()
    settle(page)
    clean(page)
    assert len(turn.tries) == 2
    page.button(key=f"earlier_try-{turn.key}").click().run()
    assert component(page, "reply")[0]["job"] == turn.tries[0].jobs[0].token


def test_a_cut_reply_can_be_continued(page: AppTest, lang: str) -> None:
    page.slider(key="max_new_tokens-0").set_value(8)
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    turn = session_of(page).turns[0]
    page.button(key=f"go-on-{turn.key}").click().run()
    settle(page)
    clean(page)
    assert len(component(page, "reply")) == 2


def test_the_last_question_can_be_edited(page: AppTest) -> None:
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    turn = session_of(page).turns[0]
    page.text_area(key=f"edit-{turn.key}").set_value("What is a token?")
    page.button(key=f"send-edit-{turn.key}").click().run()
    settle(page)
    clean(page)
    assert [item.question for item in session_of(page).turns] == ["What is a token?"]


def test_settings_are_used_by_the_next_question(page: AppTest) -> None:
    page.slider(key="temperature-0").set_value(0.9)
    page.slider(key="top_k-0").set_value(5)
    page.number_input(key="seed-0").set_value(123)
    page.slider(key="max_new_tokens-0").set_value(16)
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    job = session_of(page).turns[0].current.jobs[0]
    assert (job.sampling.temperature, job.sampling.top_k, job.sampling.seed) == (0.9, 5, 123)
    assert job.trace(0).sampling["top_k"] == 5, "they reached the engine"


def test_a_new_conversation_is_empty(page: AppTest, lang: str) -> None:
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    page.button(key="clear").click().run()
    clean(page)
    assert page.header[0].value == TEXTS[lang]["greeting_title"] and not page.chat_message


def test_two_students_never_see_each_other(service: Service) -> None:  # noqa: F811
    pages = []
    for question in ("What is GPT-2?", "What is a token?"):
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        at.chat_input[0].set_value(question).run()
        pages.append(at)
    for at in pages:
        settle(at)
    assert pages[0].text[0].value == "What is GPT-2?" and pages[1].text[0].value == "What is a token?"
    tokens = [{item["job"] for item in component(at, "reply")} for at in pages]
    assert tokens[0].isdisjoint(tokens[1])
    assert session_of(pages[0]).key != session_of(pages[1]).key


def test_a_model_that_is_not_there_is_said_and_the_old_one_answers(page: AppTest, lang: str) -> None:
    session = session_of(page)
    before = session.model
    page.selectbox(key="model_choice-0").set_value("other").run()
    page.text_input(key="model_spec-0").set_value("/nowhere/at-all")
    load = next(button for button in page.button if button.label == TEXTS[lang]["model_load"])
    load.click().run()
    assert session.service.model("/nowhere/at-all").ended.wait(30)
    page.run()
    clean(page)
    assert [error.value for error in page.error] == [
        TEXTS[lang].say("model_not_found", model="/nowhere/at-all")
    ]
    page.chat_input[0].set_value("What is GPT-2?").run()
    settle(page)
    assert session.model == before and session.turns[0].current.jobs[0].status().state == "finished"


def test_a_link_brings_question_and_settings_and_asks_only_on_request(service: Service) -> None:  # noqa: F811
    """Guards against a link that makes a student's page do something unasked, and against bad values in it."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in {
        "q": "What is GPT-2?",
        "lang": "en",
        "seed": "77",
        "temperature": "0.5",
        "top_p": "9",
        "top_k": "x",
    }.items():
        at.query_params[name] = value
    at.run()
    clean(at)
    assert session_of(at).turns == []
    assert at.number_input(key="seed-0").value == 77 and at.slider(key="temperature-0").value == 0.5
    assert at.slider(key="top_p-0").value == 1.0 and at.slider(key="top_k-0").value == 0
    button = next(item for item in at.button if item.label == TEXTS["en"]["shared_ask"])
    button.click().run()
    settle(at)
    assert [turn.question for turn in session_of(at).turns] == ["What is GPT-2?"]
    assert session_of(at).turns[0].current.jobs[0].sampling.seed == 77


def test_an_error_of_the_page_becomes_a_sentence_in_both_languages(
    service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(now: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(chat, "draw_instruments", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert [error.value for error in at.error] == [TEXTS["ja"]["page_error"], TEXTS["en"]["page_error"]]
    assert not at.exception and "secret" not in everything_said(at)

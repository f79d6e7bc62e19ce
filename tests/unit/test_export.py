"""A conversation as a file for others."""

from __future__ import annotations

import json

from tests.pagemodel import page_folder, page_tutor, service  # noqa: F401
from tests.unit.test_conversation import SHORT, done, no_thread_left, session  # noqa: F401
from tutor.session import export
from tutor.session.conversation import Session
from tutor.session.texts import load_texts


def test_exports_hold_what_was_typed_and_generated(session: Session) -> None:  # noqa: F811
    question = 'What is "GPT-2"?\n# not a heading'
    turn = session.ask(question, SHORT)
    done(session)
    texts = load_texts()["en"]
    text = export.markdown(session.turns, texts)
    assert turn.current.text.splitlines()[0] in text
    assert "\n# not a heading" not in text, "the question may not become structure"
    data = json.loads(export.as_json(session.turns))
    assert data["turns"][0]["question"] == question
    job = turn.current.jobs[0]
    kept = data["turns"][0]["tries"][0][0]
    assert kept["drafts"][job.chosen]["text"] == job.text
    assert kept["sampling"]["seed"] == SHORT.seed and kept["model"]["n_layer"] == 2
    secret = (job.token, session.key)
    assert not any(item in text or item in json.dumps(data) for item in secret), (
        "an export is shared with others"
    )

"""A job's state as the browser gets it, with every sentence in the student's language."""

from __future__ import annotations

from tutor.session.jobs import Job
from tutor.session.records import Failure
from tutor.session.texts import Texts, load_texts


def status_payload(job: Job) -> tuple[int, dict[str, object]]:
    """The version of a job's state, and the `status` event's data."""
    status, texts = job.status(), load_texts()[job.lang]
    payload: dict[str, object] = {"state": status.state}
    optional = {
        "place": status.place,
        "of": status.of,
        "reason": status.reason,
        "tokens_per_second": status.tokens_per_second,
    }
    payload |= {name: value for name, value in optional.items() if value is not None}
    if status.error is not None:
        payload["error"] = {"key": status.error.key, "text": texts.error(status.error)}
    payload["notices"] = [texts.say(notice.key, **notice.values) for notice in status.notices]
    payload["drafts"] = [
        {"draft": index, "state": state, "reason": reason_of(failures, texts)}
        for index, (state, failures) in enumerate(status.drafts)
    ]
    return status.version, payload


def reason_of(failures: tuple[Failure, ...], texts: Texts) -> str:
    """Why a draft did not pass, as one sentence; empty if it did."""
    names = [f"failure_{failure.key}" for failure in failures]
    said = [
        texts.say(name if name in texts else "failure_other", detail=failure.detail)
        for name, failure in zip(names, failures, strict=True)
    ]
    return " / ".join(said)

"""A conversation as a file: Markdown to read, JSON to work with."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from tutor.session.conversation import Turn
from tutor.session.jobs import Job
from tutor.session.texts import Texts

SCHEMA = 1


def markdown(turns: Sequence[Turn], texts: Texts) -> str:
    """The conversation as Markdown; what was typed or generated stands in quotes, unchanged.

    Args:
        turns: The conversation, oldest first.
        texts: Sentences of the student's language.
    """
    lines = [f"# {texts['app_name']}", "", texts["foot_note"], ""]
    for turn in turns:
        lines += ["## " + _one_line(turn.question), ""]
        job = turn.current.jobs[-1]
        if turn.current.topic is not None:
            lines += [f"_{finder_line(job, texts)}_", ""]
        lines += [*(f"> {line}" for line in turn.current.text.splitlines() or [""]), ""]
        if facts := _facts(job):
            lines += [f"`{facts}`", ""]
        for title, note, source in turn.current.topic.notes if turn.current.topic else ():
            lines += [f"**{texts.say('note_card', title=title)}**", "", note, ""]
            lines += [texts.say("note_source", source=source), ""]
    return "\n".join(lines)


def as_json(turns: Sequence[Turn]) -> str:
    """The conversation with settings, findings, drafts and checks; no secrets of the session."""
    data = {"schema": SCHEMA, "exported": _iso(time.time()), "turns": [_turn(turn) for turn in turns]}
    return json.dumps(data, ensure_ascii=False, indent=2)


def finder_line(job: Job, texts: Texts) -> str:
    """What the topic finder made of the question, in one line."""
    topic = job.topic
    if topic is None:
        return ""
    kind = texts.get(f"kind_{topic.kind}", topic.kind)
    if topic.follow_up:
        kind = f"{kind} · {texts['finder_follow_up']}"
    titles = " / ".join(topic.titles) or texts["finder_none"]
    return texts.say("finder_line", topics=titles, kind=kind)


def _turn(turn: Turn) -> dict[str, object]:
    return {
        "question": turn.question,
        "asked": _iso(turn.asked_at),
        "answer": turn.current.text,
        "shown": turn.shown,
        "useful": None if turn.feedback is None else bool(turn.feedback),
        "tries": [[_job(job) for job in item.jobs] for item in turn.tries],
    }


def _job(job: Job) -> dict[str, object]:
    status = job.status()
    topic = job.topic
    return {
        "model": job.model_facts,
        "sampling": asdict(job.sampling),
        "finding": None
        if topic is None
        else {"lang": topic.lang, "kind": topic.kind, "topics": topic.topics},
        "reason": status.reason,
        "tokens_per_second": status.tokens_per_second,
        "verified": job.verified,
        "chosen": job.chosen,
        "drafts": [
            {
                "text": draft.text,
                "state": draft.state,
                "failures": [asdict(failure) for failure in draft.failures],
                "figures": [asdict(mark) for mark in draft.marks],
            }
            for draft in job.drafts
        ],
    }


def _facts(job: Job) -> str:
    if not job.model_facts:
        return ""
    sampling = job.sampling
    parts = [str(job.model_facts["name"]), str(job.model_facts["device"])]
    parts += [f"temperature {sampling.temperature:g}", f"seed {sampling.seed}"]
    return " · ".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

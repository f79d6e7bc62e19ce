"""What the worker does for one job: prepare the prompt, let the tutor write, note every event.

The only module of this package that knows the tutor and the engine; it is imported by the worker
and the loader alone, so that the page can be drawn while torch is still being imported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tutor.config import CaptureConfig, SamplingConfig
from tutor.content.loader import KINDS, Lesson, load_library
from tutor.content.topics import Finding
from tutor.errors import TutorError
from tutor.model.registry import load_model
from tutor.model.threads import use_threads
from tutor.session.facts import model_facts
from tutor.session.jobs import Job
from tutor.session.recording import Recording
from tutor.session.records import Failure, FigureMark, Topic
from tutor.teach import DraftEnded, DraftStarted, Finished, PastTurn, Prepared, Tutor
from tutor.trace import Prefill, Step

_FOLLOW_UPS = 3
_NAME_BEFORE = re.compile(r"[A-Za-z][-_]?$")  # the figure belongs to a name: GPT-2, ln_1
_DEEPER = ("why", "how", "example", "analogy", "what")


def load_tutor(spec: str, threads: int) -> Tutor:
    """Load a model and make a tutor of it.

    Raises:
        ModelError: The model cannot be used.
        ContentError: A file under prompts/ is malformed.
    """
    use_threads(threads)
    return Tutor(load_model(spec), load_library())


def write_reply(job: Job, tutor: Tutor, capture: CaptureConfig) -> None:
    """Answer one job, from its question to its end.

    Raises:
        TutorError: The reply could not be written; what there is stays in the job.
    """
    job.taught = tutor.loaded.taught
    job.model_facts = model_facts(tutor.loaded)
    prepared = _prepare(job, tutor)
    job.topic = describe(prepared, tutor)
    if prepared.dropped_turns:
        job.notify("notice_dropped", n=prepared.dropped_turns)
    try:
        for event in tutor.reply(prepared, job.sampling, capture, job.stop):
            _note(job, event)
    except BaseException:
        _keep_text(job, tutor)
        raise


def describe(prepared: Prepared, tutor: Tutor) -> Topic:
    """What the finder made of the question, in words for the page."""
    finding = prepared.finding
    lessons = tutor.library.lessons
    known = [lessons[topic] for topic in finding.topics if topic in lessons]
    offered = finding.kind in ("out", "empty")
    return Topic(
        lang=finding.lang,
        kind=finding.kind,
        topics=finding.topics,
        titles=() if offered else tuple(lesson.texts[finding.lang].title for lesson in known),
        follow_up=finding.follow_up,
        notes=tuple((card.title, card.note, card.source) for card in prepared.notes),
        follow_ups=_follow_ups(finding, known, lessons),
    )


def _follow_ups(finding: Finding, known: Sequence[Lesson], lessons: dict[str, Lesson]) -> tuple[str, ...]:
    """Questions to go on with: one deeper into the topic, then its neighbours."""
    found: list[str] = []
    if finding.kind in KINDS:
        for lesson in known[:1]:
            found += [_question(lesson, finding.lang, kind) for kind in _DEEPER if kind != finding.kind][:1]
        near = [lessons[topic] for lesson in known for topic in lesson.related if topic in lessons]
    else:
        near = list(known)
    found += [_question(lesson, finding.lang, "what") for lesson in near if lesson not in known or not found]
    return tuple(dict.fromkeys(question for question in found if question))[:_FOLLOW_UPS]


def _question(lesson: Lesson, lang: str, kind: str) -> str:
    """A learner's question of that kind about a lesson, the first one that names it if there is one."""
    text = lesson.texts[lang]
    fitting = [question for k, question in text.questions if k == kind]
    names = [alias.lower() for alias in (text.title, *text.aliases)]
    naming = [question for question in fitting if any(name in question.lower() for name in names)]
    chosen = next(iter(naming or fitting), "")
    return chosen[:1].upper() + chosen[1:]


def _prepare(job: Job, tutor: Tutor) -> Prepared:
    past = [PastTurn(turn.question, turn.answer, turn.lang, turn.kind, turn.topics) for turn in job.history()]
    prefix = job.prefix_ids
    reserve = min(job.sampling.max_new_tokens + len(prefix), tutor.loaded.config.n_positions // 2)
    prepared = tutor.prepare(job.question, past, job.lang, reserve=reserve)
    if not prefix:
        return prepared
    parts = (*prepared.parts, *["reply"] * len(prefix))
    return replace(prepared, prompt_ids=prepared.prompt_ids + prefix, parts=parts, plain=None)


def _note(job: Job, event: object) -> None:
    match event:
        case DraftStarted(index=index, trace=trace, plain=plain):
            job.start_draft(trace)
            if plain is not None and index == 1:  # said once, though every later draft is given it
                job.notify("notice_plain", question=plain)
        case Prefill() | Step():
            job.record(event)
        case DraftEnded(text=text, report=report, withdrawn=withdrawn):
            pairs = zip(report.failures, report.details, strict=False)
            failures = tuple(Failure(key, detail) for key, detail in pairs)
            marks = tuple(
                FigureMark(mark.text, mark.source)
                for mark in report.marks
                if not _NAME_BEFORE.search(text[: mark.start])
            )
            job.end_draft(text, withdrawn, failures, marks)
        case Finished(chosen=chosen, verified=verified, reason=reason):
            _sum_up(job, chosen, reason)
            job.finish(reason, chosen, verified)
        case _:
            raise TypeError(f"an event of unknown type: {type(event).__name__}")


def _sum_up(job: Job, chosen: int, reason: str) -> None:
    trace = job.trace(chosen)
    if job.prefix_ids and trace.steps and trace.steps[0].token.token_bytes.startswith(b" "):
        job.glue = " "
    if trace.left_out:
        job.notify("notice_left_out", kinds=", ".join(trace.left_out))
    if reason == "length":
        job.notify("notice_cut", limit=job.sampling.max_new_tokens)


def _keep_text(job: Job, tutor: Tutor) -> None:
    """Keep what a broken draft has said so far."""
    if not job.drafts or job.drafts[-1].state != "writing":
        return
    trace = job.trace()
    ids = [step.token.token_id for step in trace.steps if not step.token.special]
    job.drafts[-1].text = tutor.loaded.tokenizer.decode(ids).strip()


def record_reply(tutor: Tutor, question: str, lang: str) -> Recording:
    """Let the model answer one question, and keep the draft that is shown.

    Raises:
        TutorError: The reply could not be written.
        TutorError: Also if no draft passed the checks: a recording shall show a good answer.
    """
    job = Job(question, SamplingConfig(), lang=lang)
    write_reply(job, tutor, CaptureConfig(residuals=False, logits=False))
    if tutor.loaded.taught and not job.verified:
        raise TutorError(f"no draft of {question!r} passed the checks: {job.text!r}")
    return Recording(question, job.text, lang, job.trace(job.chosen))

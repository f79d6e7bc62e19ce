"""The tutor: a question becomes a prompt, the model writes, each draft is checked.

Puts the topic finder, the prompt, the engine and the checks together. Nothing here alters what
the model wrote; a draft that fails a check is withdrawn in full view and another one is written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tutor.config import CaptureConfig, SamplingConfig
from tutor.content import checks, persona
from tutor.content.fewshot import few_shot, truncate_answer
from tutor.content.loader import Lang, Lesson, Library
from tutor.content.render import fill_library
from tutor.content.restate import plain_question
from tutor.content.text import normalise
from tutor.content.topics import Exchange, Finding, TopicFinder
from tutor.engine.generate import generate, new_trace
from tutor.model.registry import LoadedModel
from tutor.trace import Part, Trace
from tutor.turns import DraftEnded, DraftStarted, Event, Finished, NoteCard, PastTurn, PlainPrompt, Prepared

MAX_DRAFTS = 4
DRAFT_TEMPERATURE, DRAFT_TOP_P = 0.7, 0.9
__all__ = [
    "DraftEnded", "DraftStarted", "Event", "Finished", "NoteCard", "PastTurn", "PlainPrompt", "Prepared",
    "Tutor",
]  # fmt: skip


class Tutor:
    """Answers questions with one loaded model.

    Args:
        loaded: The model; shared and never changed.
        library: Everything under prompts/.
    """

    def __init__(self, loaded: LoadedModel, library: Library) -> None:
        self.loaded = loaded
        self.values = config_values(loaded)
        self.library = fill_library(library, self.values)
        self.finder = TopicFinder(self.library)

    def prepare(
        self,
        question: str,
        history: Sequence[PastTurn] = (),
        ui_lang: Lang = "ja",
        reserve: int = 160,
    ) -> Prepared:
        """Find the topic and lay out the prompt.

        Args:
            question: As typed, any text.
            history: Finished turns, oldest first.
            ui_lang: Language of the page.
            reserve: Positions kept free for the reply.

        Returns:
            The prompt, with the oldest turns cut away if they do not fit.
        """
        exchanges = [self._exchange(turn, ui_lang) for turn in history]
        finding = self.finder.find(question, exchanges, ui_lang)
        room = max(32, self.loaded.config.n_positions - reserve)
        if not self.loaded.taught:
            laid, dropped = few_shot(self.library, finding, question, history, self._count, room)
            ids, parts = self._encode(laid, room)
            return Prepared(question, finding, ids, parts, dropped, self._notes(finding))
        past = [self._past(turn, found) for turn, found in zip(history, exchanges, strict=True)]
        laid, dropped = persona.fit(past, self._turn(question, finding), self._count, room)
        ids, parts = self._encode(laid, room)
        words = plain_question(self.library, finding.kind, finding.topics, finding.lang)
        plain = None
        if words is not None:
            again, _ = persona.fit(past, self._turn(words, finding), self._count, room)
            plain = PlainPrompt(words, *self._encode(again, room))
        return Prepared(question, finding, ids, parts, dropped, self._notes(finding), plain)

    def reply(
        self,
        prepared: Prepared,
        sampling: SamplingConfig,
        capture: CaptureConfig = CaptureConfig(),
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Write drafts until one passes the checks; at most four.

        Yields:
            DraftStarted, Prefill, Step …, DraftEnded per draft; Finished at the very end.
        """
        most = MAX_DRAFTS if self.loaded.taught else 1
        drafts: list[tuple[float, DraftEnded, Trace]] = []
        for index in range(most):
            settings, plain = draft_sampling(sampling, index), prepared.plain if index else None
            trace, prompt = new_trace(self.loaded, settings), plain or prepared
            yield DraftStarted(index, trace, plain.question if plain else None)
            yield from generate(
                self.loaded, prompt.prompt_ids, prompt.parts, settings,
                capture, stop=stop, dropped_turns=prepared.dropped_turns, trace=trace,
            )  # fmt: skip
            stopped = trace.finish == "stopped"
            ended = self._check(prepared, trace, index, last=stopped or index == most - 1)
            drafts.append((mean_logprob(trace), ended, trace))
            yield ended
            if ended.report.passed or stopped:
                break
        _, best, trace = drafts[-1]
        if not best.report.passed and trace.finish != "stopped":
            _, best, trace = min(drafts, key=lambda d: (len(d[1].report.failures), -d[0]))
        yield Finished(best.index, best.text, best.report.passed, trace.finish or "error")

    def _check(self, prepared: Prepared, trace: Trace, index: int, last: bool) -> DraftEnded:
        text = self._text(trace)
        finding = prepared.finding
        report = checks.check(
            text,
            question=normalise(prepared.question),
            lang=finding.lang,
            kind=finding.kind,
            topics=finding.topics,
            ended=trace.finish == "end" or not self.loaded.taught,
            library=self.library,
            values=self.values,
            claims=self.library.claims,
            taught=self.loaded.taught,
        )
        return DraftEnded(index, text, report, withdrawn=not (report.passed or last))

    def _text(self, trace: Trace) -> str:
        ids = [step.token.token_id for step in trace.steps if not step.token.special]
        text = self.loaded.tokenizer.decode(ids).strip()
        return text if self.loaded.taught else truncate_answer(text)

    def _turn(self, question: str, finding: Finding, answer: str | None = None) -> persona.Turn:
        key = persona.key_line(self.library, finding.kind, finding.topics, finding.lang)
        return persona.Turn(finding.lang, finding.kind, finding.topics, key, normalise(question), answer)

    def _exchange(self, turn: PastTurn, ui_lang: Lang) -> Exchange:
        if turn.kind is not None:
            return Exchange(turn.kind, turn.topics, turn.lang, turn.question)
        finding = self.finder.find(turn.question, (), ui_lang)
        return Exchange(finding.kind, finding.topics, finding.lang, turn.question)

    def _past(self, turn: PastTurn, found: Exchange) -> persona.Turn:
        key = persona.key_line(self.library, found.kind, found.topics, found.lang)
        question = normalise(turn.question)
        return persona.Turn(found.lang, found.kind, found.topics, key, question, turn.answer)

    def _encode(
        self, laid: Sequence[persona.Segment], room: int | None = None
    ) -> tuple[tuple[int, ...], tuple[Part, ...]]:
        """Token ids of a prompt and the part that each belongs to; at most the last `room` of them."""
        ids: list[int] = []
        parts: list[Part] = []
        for segment in laid:
            new = persona.encode_segment(segment, self.loaded.tokenizer)
            ids += new
            parts.extend(segment.part for _ in new)
        cut = 0 if room is None else max(0, len(ids) - room)
        return tuple(ids[cut:]), tuple(parts[cut:])

    def _count(self, laid: Sequence[persona.Segment]) -> int:
        return len(self._encode(laid)[0])

    def _notes(self, finding: Finding) -> tuple[NoteCard, ...]:
        if finding.kind in ("out", "empty", "smalltalk"):
            return ()
        lessons = [self.library.lessons[topic] for topic in finding.topics]
        return tuple(note_card(lesson, finding.lang) for lesson in lessons)


def note_card(lesson: Lesson, lang: Lang) -> NoteCard:
    """The card of one lesson in one language."""
    text = lesson.texts[lang]
    return NoteCard(lesson.id, text.title, text.note, lesson.source)


def draft_sampling(sampling: SamplingConfig, index: int) -> SamplingConfig:
    """Settings of a draft: the student's own for the first two, then other seeds with some temperature."""
    if index <= 1:
        return replace(sampling, seed=sampling.seed + index)
    warm = sampling.temperature or DRAFT_TEMPERATURE
    return replace(
        sampling, temperature=warm, top_p=min(sampling.top_p, DRAFT_TOP_P), seed=sampling.seed + index
    )


def mean_logprob(trace: Trace) -> float:
    """Mean log-probability of a draft's tokens, in nats; -inf for an empty draft."""
    values = [step.logprob for step in trace.steps]
    return sum(values) / len(values) if values else float("-inf")


def config_values(loaded: LoadedModel) -> dict[str, int]:
    """Sizes of a loaded model by the names that lesson texts use."""
    config = loaded.config
    return {
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_vocab": config.n_vocab,
        "n_positions": config.n_positions,
        "n_params": loaded.n_params,
        "d_head": config.n_embd // config.n_head,
        "d_mlp": config.n_inner or 4 * config.n_embd,
    }

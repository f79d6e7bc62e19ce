"""A recorded reply as a file: written once by the shipped model, replayed on the first screen.

Keeps what the live panels show, at the precision of the record; full residual vectors and logits are left
out and named so. One .npz: arrays, and one JSON text for everything that is no array.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutor.config import SamplingConfig
from tutor.session.jobs import Job
from tutor.trace import Candidate, LayerStats, Lens, Prefill, Step, TokenInfo, Trace

FOLDER = Path(__file__).with_name("recordings")
PACE = 0.16  # seconds between two tokens when replayed
_STATS = ("resid_norm", "attn_norm", "mlp_norm", "ln_mean", "ln_var")
_SIZES = (
    "model_name",
    "device",
    "n_layer",
    "n_head",
    "n_embd",
    "n_vocab",
    "n_positions",
    "sampling",
    "finish",
)

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Recording:
    """A question, the reply, and its record."""

    question: str
    text: str
    lang: str
    trace: Trace


def save(recording: Recording, path: Path) -> None:
    """Write a recording; the reply must be complete."""
    trace = recording.trace
    if trace.prefill is None or trace.prefill.attention is None or not trace.steps:
        raise ValueError("only a complete reply with its attention can be recorded")
    steps = trace.steps
    meta = {name: getattr(trace, name) for name in _SIZES}
    meta |= {"question": recording.question, "text": recording.text, "lang": recording.lang}
    meta["tokens"] = [_token(info) for info in trace.prefill.tokens]
    meta["prefill_seconds"] = trace.prefill.seconds
    meta["steps"] = [_step(step) for step in steps]
    arrays: Arrays = {
        "prompt_attention": trace.prefill.attention,
        "prompt_logprobs": trace.prefill.logprobs,
        "step_attention": np.concatenate([_flat(step) for step in steps]),
    }
    arrays |= _pack_stats("prompt", trace.prefill.layers) | _pack_stats("step", [s.layers for s in steps])
    lenses = [step.lens for step in steps if step.lens is not None]
    if len(lenses) == len(steps):
        for name in ("token_ids", "probs", "chosen_prob", "entropy"):
            arrays[f"lens_{name}"] = np.stack([getattr(lens, name) for lens in lenses])
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    arrays["meta"] = np.array(json.dumps(meta, ensure_ascii=False))
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())


def load(path: Path) -> Recording:
    """Read what `save` wrote.

    Raises:
        OSError, ValueError, KeyError: The file is missing or is no recording.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays: Arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays.pop("meta")))
    trace = Trace(**{name: meta[name] for name in _SIZES if name != "finish"}, finish=meta["finish"])
    trace.left_out = ["residuals", "logits"]
    trace.prefill = Prefill(
        tokens=[_info(item) for item in meta["tokens"]],
        attention=arrays["prompt_attention"],
        resid=None,
        logprobs=arrays["prompt_logprobs"],
        layers=_unpack_stats("prompt", arrays, len(meta["tokens"])),
        seconds=meta["prefill_seconds"],
    )
    layers = _unpack_stats("step", arrays, len(meta["steps"]))
    start = 0
    for index, item in enumerate(meta["steps"]):
        size = trace.n_layer * trace.n_head * item["seen"]
        rows = arrays["step_attention"][start : start + size].reshape(trace.n_layer, trace.n_head, -1)
        start += size
        trace.steps.append(_restore(index, item, rows, layers[index], arrays))
    return Recording(meta["question"], meta["text"], meta["lang"], trace)


def as_job(recording: Recording) -> Job:
    """A finished job that replays the recording; belongs to nobody, so its token may be known to all."""
    trace = recording.trace
    job = Job(recording.question, SamplingConfig(), lang=recording.lang, token=f"recording-{recording.lang}")
    job.pace = PACE
    job.start_draft(trace)
    if trace.prefill is not None:
        job.record(trace.prefill)
    for step in trace.steps:
        job.record(step)
    job.end_draft(recording.text, False, (), ())
    job.finish(trace.finish or "end", 0, verified=True)
    return job


def _flat(step: Step) -> np.ndarray[Any, Any]:
    if step.attention is None:
        raise ValueError(f"step {step.index} has no attention")
    return np.asarray(step.attention, dtype=np.float32).ravel()


def _token(info: TokenInfo) -> dict[str, Any]:
    return asdict(info) | {"token_bytes": info.token_bytes.hex()}


def _info(data: dict[str, Any]) -> TokenInfo:
    fields: dict[str, Any] = {**data, "token_bytes": bytes.fromhex(data["token_bytes"])}
    return TokenInfo(**fields)


def _step(step: Step) -> dict[str, object]:
    names = ("logprob", "entropy", "discarded_mass", "draw", "seconds")
    out: dict[str, object] = {name: getattr(step, name) for name in names}
    out["token"] = _token(step.token)
    out["candidates"] = [asdict(item) for item in step.candidates]
    out["lens_texts"] = None if step.lens is None else step.lens.texts
    out["seen"] = 0 if step.attention is None else int(step.attention.shape[-1])
    return out


def _restore(index: int, item: dict[str, Any], rows: Any, layers: LayerStats, arrays: Arrays) -> Step:
    lens = None
    if item["lens_texts"] is not None and "lens_probs" in arrays:
        names = ("token_ids", "probs", "chosen_prob", "entropy")
        lens = Lens(texts=item["lens_texts"], **{name: arrays[f"lens_{name}"][index] for name in names})
    return Step(
        index=index,
        token=_info(item["token"]),
        logprob=item["logprob"],
        entropy=item["entropy"],
        discarded_mass=item["discarded_mass"],
        draw=item["draw"],
        candidates=[Candidate(**candidate) for candidate in item["candidates"]],
        layers=layers,
        lens=lens,
        attention=rows,
        resid=None,
        logits=None,
        seconds=item["seconds"],
    )


def _pack_stats(prefix: str, stats: list[LayerStats]) -> Arrays:
    packed: Arrays = {f"{prefix}_{name}": np.stack([getattr(s, name) for s in stats]) for name in _STATS}
    packed[f"{prefix}_ln_f"] = np.array([(s.ln_f_mean, s.ln_f_var) for s in stats], dtype=np.float64)
    return packed


def _unpack_stats(prefix: str, arrays: Arrays, count: int) -> list[LayerStats]:
    return [
        LayerStats(
            **{name: arrays[f"{prefix}_{name}"][i] for name in _STATS},
            ln_f_mean=float(arrays[f"{prefix}_ln_f"][i, 0]),
            ln_f_var=float(arrays[f"{prefix}_ln_f"][i, 1]),
        )
        for i in range(count)
    ]

"""What the browser gets: every function takes recorded values and returns a JSON-able dictionary.

Knows nothing of HTTP, Streamlit or torch. Numbers are the trace's own: plain floats go out with
their shortest exact spelling, arrays as base64 float32 (`codec`). Only attention thumbnails are
quantised, and they are named "pooled". See PROTOCOL.md for when each is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from tutor.panels.codec import finite, pack_f32, pack_u8
from tutor.panels.derived import ledger
from tutor.panels.pooling import block_width, pool_row, pool_square
from tutor.trace import Candidate, Floats, LayerStats, Lens, Prefill, Step, TokenInfo, Trace

LIVE_CANDIDATES = 12

Json = dict[str, object]


def token(info: TokenInfo) -> Json:
    """One token: id, piece, display text and, where they differ from it, its exact bytes.

    Returns:
        `id`, `text`, `piece`; `raw` if the bytes are text other than `text`; `hex` if they are
        no complete text (part of a character); `special` for control tokens.
    """
    out: Json = {"id": info.token_id, "text": info.text, "piece": info.piece}
    if info.special:
        out["special"] = True
    try:
        raw = info.token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        out["hex"] = info.token_bytes.hex()
    else:
        if raw != info.text:
            out["raw"] = raw
    return out


def parts(tokens: Sequence[TokenInfo]) -> list[Json]:
    """Runs of tokens that belong to the same part of the prompt: `part`, `from`, `to` (exclusive)."""
    runs: list[Json] = []
    start = 0
    for part, group in groupby(tokens, key=lambda info: info.part):
        size = sum(1 for _ in group)
        runs.append({"part": part, "from": start, "to": start + size})
        start += size
    return runs


def model(trace: Trace) -> Json:
    """The model's name, device and true sizes."""
    return {
        "name": trace.model_name,
        "device": trace.device,
        "n_layer": trace.n_layer,
        "n_head": trace.n_head,
        "n_embd": trace.n_embd,
        "n_vocab": trace.n_vocab,
        "n_positions": trace.n_positions,
    }


def prefill(trace: Trace, draft: int = 0) -> Json:
    """The `prefill` event: the prompt's tokens and what the model is.

    Args:
        trace: A trace whose prefill has run.
        draft: Which draft of the reply this is, from 0.

    Raises:
        ValueError: The prefill has not run yet.
    """
    done = _prefill(trace)
    return {
        "draft": draft,
        "model": model(trace),
        "sampling": dict(trace.sampling),
        "tokens": [token(info) for info in done.tokens],
        "parts": parts(done.tokens),
        "logprobs": pack_f32(done.logprobs),
        "seconds": done.seconds,
        "dropped_turns": done.dropped_turns,
        "has_attention": done.attention is not None,
    }


def step(record: Step, draft: int = 0) -> Json:
    """The `step` event: one reply token and how it came to be, small enough to send live."""
    shown = record.candidates[:LIVE_CANDIDATES]
    if all(item.token_id != record.token.token_id for item in shown):
        shown = shown + [item for item in record.candidates if item.token_id == record.token.token_id]
    return {
        "draft": draft,
        "i": record.index,
        "token": token(record.token),
        "logprob": finite(record.logprob),
        "entropy": finite(record.entropy),
        "discarded": finite(record.discarded_mass),
        "draw": finite(record.draw),
        "candidates": [candidate(item) for item in shown],
        "more": len(record.candidates) - len(shown),
        "layers": layers(record.layers),
        "lens": None if record.lens is None else lens(record.lens),
        "pooled": None if record.attention is None else pooled(record.attention),
        "seconds": record.seconds,
    }


def step_record(trace: Trace, index: int) -> Json:
    """Everything recorded about one step: all candidates, the stream's ledger and spreads, what was left out.

    Raises:
        IndexError: There is no such step.
    """
    record = trace.steps[_index(index, len(trace.steps))]
    out = step(record)
    out.update(
        candidates=[candidate(item) for item in record.candidates],
        more=0,
        position=record.token.position,
        left_out=list(trace.left_out),
        has_logits=record.logits is not None,
        has_resid=record.resid is not None,
        ledger=ledger(record),
    )
    return out


def position_record(trace: Trace, position: int) -> Json:
    """One prompt token with the layer statistics measured at its position.

    Raises:
        ValueError: The prefill has not run yet.
        IndexError: There is no such prompt position.
    """
    done = _prefill(trace)
    index = _index(position, len(done.layers))
    return {
        "position": index,
        "token": token(done.tokens[index]),
        "part": done.tokens[index].part,
        "logprob": finite(float(done.logprobs[index])),
        "layers": layers(done.layers[index]),
    }


def candidate(item: Candidate) -> Json:
    """One possible next token with its three probabilities."""
    return {
        "id": item.token_id,
        "text": item.text,
        "logit": finite(item.logit),
        "raw": finite(item.prob_raw),
        "tempered": finite(item.prob_tempered),
        "prob": finite(item.prob),
    }


def layers(stats: LayerStats) -> Json:
    """Norms and LayerNorm figures of one position: `resid` [L, 3], `attn` [L], `mlp` [L], `ln_*` [L, 2]."""
    return {
        "resid": pack_f32(stats.resid_norm),
        "attn": pack_f32(stats.attn_norm),
        "mlp": pack_f32(stats.mlp_norm),
        "ln_mean": pack_f32(stats.ln_mean),
        "ln_var": pack_f32(stats.ln_var),
        "ln_f": [finite(stats.ln_f_mean), finite(stats.ln_f_var)],
    }


def lens(record: Lens) -> Json:
    """Logit lens of one position: `k` words a layer, `probs` [L, k], `chosen` [L], `entropy` [L] in nats."""
    return {
        "k": int(record.token_ids.shape[1]),
        "ids": record.token_ids.tolist(),
        "texts": record.texts,
        "probs": pack_f32(record.probs),
        "chosen": pack_f32(record.chosen_prob),
        "entropy": pack_f32(record.entropy),
    }


def pooled(attention: Floats) -> Json:
    """One step's attention rows of all heads as maxima over blocks of `width` positions."""
    width = block_width(attention.shape[-1])
    rows = pool_row(attention, width)
    return {"width": width, "blocks": rows.shape[-1], "data": pack_u8(rows)}


def attention_grid(trace: Trace) -> Json:
    """The prompt's patterns of all heads, pooled: the start of the thumbnails.

    Returns:
        `width`, `blocks`, `data` [n_layer, n_head, blocks, blocks]; `data` is None if the
        patterns were left out.

    Raises:
        ValueError: The prefill has not run yet.
    """
    done = _prefill(trace)
    if done.attention is None:
        return {"width": 1, "blocks": 0, "data": None}
    width = block_width(len(done.tokens))
    square = pool_square(done.attention, width)
    return {"width": width, "blocks": square.shape[-1], "data": pack_u8(square)}


def attention_rows(trace: Trace, layer: int, head: int, start: int = 0, stop: int | None = None) -> Json:
    """Exact rows of one head's pattern, packed: row q holds its q + 1 weights, nothing above.

    Args:
        trace: The trace, finished or growing.
        layer: Layer index from 0.
        head: Head index from 0; -1 is the mean over the layer's heads (computed, not measured).
        start: First query position.
        stop: Query position to stop before; None takes every row known now.

    Returns:
        `layer`, `head`, `from`, `to`, `data` (float32, packed rows) and `stored` ("float16" or
        "float32": the precision the prompt's rows were kept in). `data` is None if left out.

    Raises:
        ValueError: The prefill has not run yet.
        IndexError: No such layer, head or row.
    """
    done = _prefill(trace)
    steps = trace.steps[:]
    _index(layer, trace.n_layer)
    if head != -1:
        _index(head, trace.n_head)
    known = len(done.tokens) + max(0, len(steps) - 1)
    stop = known if stop is None else min(stop, known)
    if not 0 <= start <= stop:
        raise IndexError(f"rows {start} to {stop} of {known} do not exist")
    rows = [_row(done, steps, layer, head, query) for query in range(start, stop)]
    kept = [row for row in rows if row is not None]
    stored = "float32" if done.attention is None else str(done.attention.dtype)
    data = pack_f32(np.concatenate([*kept, np.empty(0)])) if len(kept) == len(rows) else None
    return {"layer": layer, "head": head, "from": start, "to": stop, "data": data, "stored": stored}


def _row(done: Prefill, steps: Sequence[Step], layer: int, head: int, query: int) -> Floats | None:
    """One exact row, [query + 1]; None if it was left out."""
    length = len(done.tokens)
    if query < length:
        if done.attention is None:
            return None
        rows = done.attention[layer, :, query, : query + 1]
    else:
        attention = steps[query - length + 1].attention
        if attention is None:
            return None
        rows = attention[layer]
    return rows.astype(np.float64).mean(axis=0) if head == -1 else rows[head].astype(np.float32)


def _prefill(trace: Trace) -> Prefill:
    if trace.prefill is None:
        raise ValueError("The prompt has not been read yet; ask again after the prefill event.")
    return trace.prefill


def _index(value: int, size: int) -> int:
    if not 0 <= value < size:
        raise IndexError(f"{value} is outside 0 to {size - 1}")
    return value

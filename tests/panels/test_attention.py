"""Attention as the browser gets it: exact rows, and thumbnails that are true maxima."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.panels.helpers import record
from tutor.config import SamplingConfig
from tutor.model.registry import LoadedModel
from tutor.panels import payload, pooling
from tutor.panels.codec import unpack_f32, unpack_u8
from tutor.trace import Trace

JS = Path(__file__).parent / "js"
NODE = shutil.which("node")


def rows_of(trace: Trace, layer: int, head: int, start: int = 0, stop: int | None = None) -> list[np.ndarray]:
    """Rows as the browser cuts them: row q has q + 1 weights."""
    got = payload.attention_rows(trace, layer, head, start, stop)
    flat, out = unpack_f32(str(got["data"])), []
    for query in range(int(str(got["from"])), int(str(got["to"]))):
        out.append(flat[: query + 1])
        flat = flat[query + 1 :]
    assert flat.size == 0
    return out


def test_rows_are_those_of_the_square_pattern(recorded_trace: Trace) -> None:
    """Guards against an off-by-one between a step and its query position, for every head and row."""
    for layer in range(recorded_trace.n_layer):
        for head in range(recorded_trace.n_head):
            square = recorded_trace.attention_map(layer, head)
            assert square is not None
            rows = rows_of(recorded_trace, layer, head)
            assert len(rows) == len(square)
            for query, row in enumerate(rows):
                assert np.array_equal(row, square[query, : query + 1])
                assert abs(float(row.sum()) - 1) < 2e-3  # the prompt's rows may be kept as float16


def test_rows_can_be_fetched_in_pieces(recorded_trace: Trace) -> None:
    """Guards against a seam: pieces across the end of the prompt equal the whole."""
    whole, edge = rows_of(recorded_trace, 1, 0), recorded_trace.prompt_length
    for cut in (0, 1, edge - 1, edge, edge + 1, len(whole)):
        joined = rows_of(recorded_trace, 1, 0, 0, cut) + rows_of(recorded_trace, 1, 0, cut)
        assert all(np.array_equal(a, b) for a, b in zip(whole, joined, strict=True))


def test_mean_of_heads_is_the_mean(recorded_trace: Trace) -> None:
    """Guards against a mean over layers, or over positions, instead of heads."""
    heads = [rows_of(recorded_trace, 2, head) for head in range(recorded_trace.n_head)]
    for query, row in enumerate(rows_of(recorded_trace, 2, -1)):
        expected = np.mean([head[query].astype(np.float64) for head in heads], axis=0)
        assert np.allclose(row, expected, atol=1e-7)


def test_what_does_not_exist_is_refused(recorded_trace: Trace) -> None:
    """Guards against Python's negative indices: head -2 must not answer with the last but one."""
    known = recorded_trace.prompt_length + len(recorded_trace.steps) - 1
    for layer, head, start in ((99, 0, 0), (-1, 0, 0), (0, -2, 0), (0, 99, 0), (0, 0, -1), (0, 0, known + 1)):
        with pytest.raises(IndexError):
            payload.attention_rows(recorded_trace, layer, head, start)


def test_thumbnails_are_maxima_of_the_exact_weights(recorded_trace: Trace) -> None:
    """Guards against means, shifted blocks or swapped axes in the pooled pictures."""
    grid = payload.attention_grid(recorded_trace)
    width, blocks = int(str(grid["width"])), int(str(grid["blocks"]))
    data = unpack_u8(str(grid["data"])).reshape(recorded_trace.n_layer, recorded_trace.n_head, blocks, blocks)
    for layer in range(recorded_trace.n_layer):
        for head in range(recorded_trace.n_head):
            square = recorded_trace.attention_map(layer, head, upto=0)
            assert square is not None
            expected = [
                [
                    square[r * width : (r + 1) * width, c * width : (c + 1) * width].max()
                    for c in range(blocks)
                ]
                for r in range(blocks)
            ]
            assert np.array_equal(data[layer, head], np.rint(255 * np.sqrt(expected)))


@pytest.mark.parametrize("length", [1, 23, 24, 25, 48, 49, 97, 300])
def test_blocks_cover_every_position_once(length: int) -> None:
    """Guards against a last block that is forgotten, and against more columns than the browser holds."""
    values = np.zeros((1, 1, length), dtype=np.float32)
    values[..., -1] = 1.0
    width = pooling.block_width(length)
    row = pooling.pool_row(values, width)
    assert row.shape[-1] == -(-length // width) <= pooling.COLUMNS
    assert row[0, 0, -1] == 255 and row[0, 0, :-1].sum() == 0


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_browser_rebuilds_the_same_from_the_events(ours: LoadedModel) -> None:
    """Guards the twin implementation: events replayed through the page's own code give the server's record."""
    trace = record(ours, list(range(20, 35)), SamplingConfig(temperature=1.0, seed=2, max_new_tokens=30))
    length, size = trace.prompt_length, trace.prompt_length + len(trace.steps) - 1
    assert pooling.block_width(length) < pooling.block_width(size), "no doubling happened; use a longer reply"
    middle = length + 3
    events = {
        "pictures": trace.n_layer * trace.n_head,
        "prompt": length,
        "grid": payload.attention_grid(trace),
        "steps": [payload.step(step)["pooled"] for step in trace.steps],
        "rows": [payload.attention_rows(trace, 1, 1, 0, middle), payload.attention_rows(trace, 1, 1, middle)],
        "tokens": [payload.token(step.token) for step in trace.steps],
    }
    done = subprocess.run(
        [str(NODE), str(JS / "replay.mjs")],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=True,
    )
    got = json.loads(done.stdout)
    square = np.stack(
        [[trace.attention_map(i, j) for j in range(trace.n_head)] for i in range(trace.n_layer)]
    )
    fresh = pooling.pool_square(square, got["width"])
    pictures = np.array(got["data"]).reshape(trace.n_layer, trace.n_head, pooling.COLUMNS, pooling.COLUMNS)
    assert np.array_equal(pictures[..., : got["rows"], : got["rows"]], fresh)
    assert all(
        np.array_equal(np.float32(row), square[1, 1, q, : q + 1]) for q, row in enumerate(got["weights"])
    )
    text = ours.tokenizer.decode([step.token.token_id for step in trace.steps])
    assert got["text"] == re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text).lstrip()

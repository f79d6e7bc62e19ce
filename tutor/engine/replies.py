"""Identities of a recorded reply: what was written down is what happened, and it can be replayed.

As in `identities`, each check returns its largest error; most count what is wrong.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from tutor.config import SamplingConfig
from tutor.engine.capture import all_sites
from tutor.engine.generate import generate, new_trace
from tutor.engine.identities import Check, Probe, gap
from tutor.engine.sampling import choose, distribution
from tutor.model.registry import LoadedModel
from tutor.trace import Part, Trace

PROBE = "残差接続は入力を足し戻す。Attention mixes values, and the residual stream carries them on."
LONGEST = 32  # tokens of the probe
SETTINGS = SamplingConfig(temperature=0.9, top_p=0.95, seed=7, max_new_tokens=12)


def make_probe(loaded: LoadedModel) -> Probe:
    """Encode a bilingual sentence, run it once, and let the model go on from it."""
    room = loaded.config.n_positions
    longest = max(2, min(LONGEST, room - 2, room // 2))
    ids = loaded.tokenizer.encode(PROBE) or [0]
    ids = (ids * longest)[:longest]
    trace = write_reply(loaded, ids, SETTINGS)
    return Probe(loaded, ids, all_sites(loaded.model, ids), trace)


def write_reply(loaded: LoadedModel, ids: list[int], settings: SamplingConfig) -> Trace:
    """Generate a reply with everything recorded."""
    trace = new_trace(loaded, settings)
    parts: list[Part] = ["question"] * len(ids)
    for _ in generate(loaded, ids, parts, settings, trace=trace):
        pass
    return trace


def _last_lens_is_the_output(probe: Probe) -> float:
    gaps = []
    for step in probe.trace.steps:
        if step.lens is None or step.logits is None:
            return math.inf
        probs = torch.from_numpy(step.logits).double().softmax(-1)
        ids = torch.from_numpy(np.asarray(step.lens.token_ids[-1]))
        gaps.append(gap(torch.from_numpy(np.asarray(step.lens.probs[-1])), probs[ids]))
    return max(gaps)


def _greedy_is_a_hand_loop(probe: Probe) -> float:
    """1 if the greedy reply differs from choosing the best token of a whole new pass each time.

    Tokens within rounding of the best count as best.
    """
    trace = write_reply(probe.loaded, probe.ids, SamplingConfig(max_new_tokens=SETTINGS.max_new_tokens))
    ids = list(probe.ids)
    margin = 1e-4 if probe.loaded.dtype == "float32" else 0.1
    for step in trace.steps:
        stream = probe.model.forward(torch.tensor(ids, device=probe.model.wte.device))
        logits = probe.model.unembed(stream[-1:])[0]
        if float(logits.max() - logits[step.token.token_id]) > margin:
            return 1.0
        ids.append(step.token.token_id)
    return 0.0


def _map_is_assembled_right(probe: Probe) -> float:
    trace = probe.trace
    ids = [token.token_id for token in trace.tokens()[:-1]]
    full = all_sites(probe.model, ids)["pattern"].cpu()
    maps = [
        trace.attention_map(layer, head) for layer in range(trace.n_layer) for head in range(trace.n_head)
    ]
    if any(found is None for found in maps):
        return math.inf
    return gap(torch.from_numpy(np.stack([m for m in maps if m is not None])), full.flatten(0, 1))


def _draws_replay(probe: Probe) -> float:
    """Number of steps whose recorded logits and random number do not give the recorded token."""
    wrong, reply = 0, list[int]()
    for step in probe.trace.steps:
        if step.logits is None or step.draw is None:
            return math.inf
        dist = distribution(step.logits, reply, SETTINGS)
        wrong += choose(dist, step.draw) != step.token.token_id
        reply.append(step.token.token_id)
    return float(wrong)


def _same_seed_same_reply(probe: Probe) -> float:
    again = [step.token.token_id for step in write_reply(probe.loaded, probe.ids, SETTINGS).steps]
    return float(again != [step.token.token_id for step in probe.trace.steps])


def _text_comes_back(probe: Probe) -> float:
    """Number of texts that change when encoded and decoded once more."""
    tokenizer = probe.loaded.tokenizer
    texts = [tokenizer.decode(tokenizer.encode(text)) for text in (PROBE, "a  b", "アウラ", "1,024 × 2")]
    return float(sum(tokenizer.decode(tokenizer.encode(text)) != text for text in texts))


REPLY_CHECKS: tuple[tuple[str, Check, bool], ...] = (
    ("last_lens_is_the_output", _last_lens_is_the_output, True),
    ("greedy_is_a_hand_loop", _greedy_is_a_hand_loop, False),
    ("map_is_assembled_right", _map_is_assembled_right, True),
    ("draws_replay", _draws_replay, False),
    ("same_seed_same_reply", _same_seed_same_reply, False),
    ("text_comes_back", _text_comes_back, False),
)
"""Key, check, and whether rounding is allowed."""

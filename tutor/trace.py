"""The recorded trace of one reply: plain numpy, no torch, no Streamlit.

Every array is what the model computed in that run, at full precision; views derive from it.
Shapes use the names of `config.json`; `T` is the number of tokens known at that step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1

Floats = NDArray[np.floating]
Part = Literal["persona", "tags", "note", "history", "question", "reply"]


@dataclass(frozen=True)
class TokenInfo:
    """One token of the prompt or the reply.

    Attributes:
        position: Index in the sequence, from 0.
        token_id: Vocabulary id.
        piece: The vocabulary's own spelling of the token ("▁the", "Ġthe", "<0xE6>").
        token_bytes: The bytes that the token stands for; empty for control tokens.
        text: Text to show for this token alone; bytes of a part-character are shown as "⟨E6⟩".
        part: The part of the prompt that it belongs to.
        special: True for control tokens (tags, end of text).
    """

    position: int
    token_id: int
    piece: str
    token_bytes: bytes
    text: str
    part: Part
    special: bool = False


@dataclass(frozen=True)
class Candidate:
    """One token that could have come next.

    Attributes:
        token_id: Vocabulary id.
        text: Display text.
        logit: Raw logit.
        prob_raw: softmax of the raw logits.
        prob_tempered: After repetition penalty and temperature, before top-k and top-p
            (equal to prob_raw's one-hot at temperature 0).
        prob: The probability it was drawn with; 0 if top-k or top-p dropped it.
    """

    token_id: int
    text: str
    logit: float
    prob_raw: float
    prob_tempered: float
    prob: float

    @property
    def kept(self) -> bool:
        """Whether the token survived top-k and top-p."""
        return self.prob > 0


@dataclass(frozen=True)
class LayerStats:
    """What happened at one position in every layer.

    Attributes:
        resid_norm: Euclidean norm of resid_pre, resid_mid, resid_post, shape [n_layer, 3].
        attn_norm: Norm of what attention added, shape [n_layer].
        mlp_norm: Norm of what the MLP added, shape [n_layer].
        ln_mean: Mean seen by ln_1 and ln_2, shape [n_layer, 2].
        ln_var: Biased variance seen by ln_1 and ln_2, shape [n_layer, 2].
        ln_f_mean: Mean seen by ln_f.
        ln_f_var: Biased variance seen by ln_f.
    """

    resid_norm: Floats
    attn_norm: Floats
    mlp_norm: Floats
    ln_mean: Floats
    ln_var: Floats
    ln_f_mean: float
    ln_f_var: float


@dataclass(frozen=True)
class Lens:
    """Logit lens at one position: the top tokens read from each layer's resid_post.

    Attributes:
        token_ids: Shape [n_layer, k].
        texts: Display texts, n_layer lists of k.
        probs: softmax probabilities over the full vocabulary, shape [n_layer, k].
        chosen_prob: Probability each layer gives to the token drawn in the end, [n_layer].
        entropy: Entropy of each layer's distribution in nats, [n_layer].
    """

    token_ids: NDArray[np.integer]
    texts: list[list[str]]
    probs: Floats
    chosen_prob: Floats
    entropy: Floats


@dataclass(frozen=True)
class Step:
    """One decode step: how one reply token came to be.

    Attributes:
        index: 0 for the first reply token.
        token: The token drawn; its position is prompt length + index.
        logprob: log of prob_raw of the token drawn, in nats.
        entropy: Entropy of the raw distribution in nats.
        discarded_mass: Tempered probability dropped by top-k and top-p.
        draw: The uniform random number used, in [0, 1); None when greedy.
        candidates: Most probable tokens, best first; always includes the token drawn.
        layers: Norms and LayerNorm statistics at the position that predicted the token.
        lens: Logit lens there, or None when off.
        attention: Attention row of every head, [n_layer, n_head, T], or None if left out.
        resid: resid_pre, resid_mid, resid_post, [n_layer, 3, n_embd], or None if left out.
        logits: Raw logits, [n_vocab], or None if left out.
        seconds: Wall time of this step.
    """

    index: int
    token: TokenInfo
    logprob: float
    entropy: float
    discarded_mass: float
    draw: float | None
    candidates: list[Candidate]
    layers: LayerStats
    lens: Lens | None
    attention: Floats | None
    resid: Floats | None
    logits: Floats | None
    seconds: float


@dataclass(frozen=True)
class Prefill:
    """The prompt's pass through the model.

    Attributes:
        tokens: The prompt's tokens, P of them.
        attention: Full patterns, float16 or float32, [n_layer, n_head, P, P], or None.
        resid: [P, n_layer, 3, n_embd], or None.
        logprobs: log-probability of prompt token i given those before it, [P]; nan at 0.
        layers: Statistics of every prompt position, P of them.
        seconds: Wall time of the prefill.
        dropped_turns: Conversation turns cut away because they did not fit.
    """

    tokens: list[TokenInfo]
    attention: Floats | None
    resid: Floats | None
    logprobs: Floats
    layers: list[LayerStats]
    seconds: float
    dropped_turns: int = 0


FinishReason = Literal["end", "length", "context", "stopped", "error"]


@dataclass
class Trace:
    """Everything recorded about one reply; grows while it is generated.

    Attributes:
        model_name: Name of the model that ran.
        device: Where it ran, e.g. "cpu".
        n_layer, n_head, n_embd, n_vocab, n_positions: Sizes from its config.
        sampling: The settings used, as a plain dict.
        prefill: The prompt's pass; None until it has run.
        steps: One per reply token (the end-of-text token included, if it was drawn).
        finish: Why generation ended; None while it runs.
        left_out: Names of record kinds dropped for the memory budget.
    """

    model_name: str
    device: str
    n_layer: int
    n_head: int
    n_embd: int
    n_vocab: int
    n_positions: int
    sampling: dict[str, object]
    prefill: Prefill | None = None
    steps: list[Step] = field(default_factory=list)
    finish: FinishReason | None = None
    left_out: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION

    @property
    def prompt_length(self) -> int:
        """Number of prompt tokens, 0 before the prefill has run."""
        return len(self.prefill.tokens) if self.prefill else 0

    def tokens(self) -> list[TokenInfo]:
        """All tokens in order, prompt first."""
        prompt = self.prefill.tokens if self.prefill else []
        return prompt + [step.token for step in self.steps]

    def attention_map(self, layer: int, head: int, upto: int | None = None) -> NDArray[np.float32] | None:
        """Assemble one head's square pattern from the prefill block and the decode rows.

        Args:
            layer: Layer index from 0.
            head: Head index from 0.
            upto: Number of steps to include; None takes all.

        Returns:
            Shape [Q, Q] with Q = prompt length + steps - 1 query positions (the last reply
            token was never a query), lower triangular; None if attention was left out.
        """
        if self.prefill is None or self.prefill.attention is None:
            return None
        steps = self.steps[:upto] if upto is not None else self.steps
        length = self.prompt_length
        size = length + max(0, len(steps) - 1)
        full = np.zeros((size, size), dtype=np.float32)
        full[:length, :length] = self.prefill.attention[layer, head]
        for step in steps[1:]:
            if step.attention is None:
                return None
            row = step.attention[layer, head]
            full[row.shape[0] - 1, : row.shape[0]] = row
        return full

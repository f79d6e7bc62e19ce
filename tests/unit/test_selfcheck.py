"""The self-check passes on a sound model, and fails, at the right line, on each kind of damage."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tutor.config import PROMPTS
from tutor.model.gpt2 import GPT2, Block, KVCache, Record
from tutor.model.registry import LoadedModel
from tutor.selfcheck import CHECK_KEYS, main_rows, run


def test_all_pass_on_sound_models(loaded: LoadedModel) -> None:
    results = run(loaded)
    assert [result.name_key for result in results] == list(CHECK_KEYS)
    assert [result.name_key for result in results if not result.passed] == []
    assert len(main_rows(results)) == len(results) and all(row[1] == "pass" for row in main_rows(results))


def test_every_check_has_its_sentence() -> None:
    texts = tomllib.loads((PROMPTS / "ui.toml").read_text(encoding="utf-8"))
    for language in ("ja", "en"):
        assert [key for key in CHECK_KEYS if not texts[language].get(key)] == []


class NoMask(GPT2):
    """Attention without the causal mask."""

    @staticmethod
    def _future(tokens: int, start: int, device: torch.device) -> Tensor:
        return torch.zeros(tokens, start + tokens, dtype=torch.bool)


class OneBased(GPT2):
    """Positions counted from 1 in decode steps."""

    def forward(
        self, ids: Tensor, cache: KVCache | None = None, start: int = 0, record: Record = lambda *_: None
    ) -> Tensor:
        x = dataclasses.replace(self, wpe=self.wpe.roll(-1, 0) if start else self.wpe)
        return GPT2.forward(x, ids, cache, start, record)


class WrongGelu(GPT2):
    """The erf form of GELU in place of the tanh form."""

    def _mlp(self, block: Block, layer: int, x: Tensor, record: Record) -> Tensor:
        x = block.ln_2(x)
        record("ln2", layer, x)
        x = block.mlp_fc(x)
        record("mlp_pre", layer, x)
        x = F.gelu(x)
        record("mlp_act", layer, x)
        x = block.mlp_proj(x)
        record("mlp_out", layer, x)
        return x


class NoFinalNorm(GPT2):
    """Logits read without ln_f."""

    def unembed(self, resid: Tensor) -> Tensor:
        return self.unembedding(resid)


class HiddenGain(GPT2):
    """Attention's output doubled after it was recorded."""

    def _attention(self, *args: Any) -> Tensor:
        return 2 * super()._attention(*args)


DAMAGE: dict[type[GPT2], str] = {
    NoMask: "check_no_future",
    OneBased: "check_cache_changes_nothing",
    WrongGelu: "check_activation_formula",
    NoFinalNorm: "check_logits_from_the_stream",
    HiddenGain: "check_stream_is_a_sum",
}


@pytest.mark.parametrize("damaged", DAMAGE, ids=lambda kind: kind.__name__)
def test_damage_is_found_by_the_check_made_for_it(ours: LoadedModel, damaged: type[GPT2]) -> None:
    """Guards the checks themselves: one that always passes is worse than none."""
    fields: dict[str, Any] = {f.name: getattr(ours.model, f.name) for f in dataclasses.fields(GPT2)}
    failed = [r.name_key for r in run(dataclasses.replace(ours, model=damaged(**fields))) if not r.passed]
    assert DAMAGE[damaged] in failed

"""Tiny GPT-2 checkpoints, written to disk as anyone would find them; nothing here is a mock.

Every weight is random and far from its usual start (gains are not 1, biases are not 0), so that
leaving one out, or swapping two, changes the result.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor

BASE: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_positions": 48,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_inner": None,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
    "bos_token_id": None,
}
TAGS = ["<ja>", "<en>", "<what>", "<note>"]
CORPUS = [
    "残差接続は、入力をそのまま足し戻す。だから深い層でも勾配が流れるのよ。",
    "注意機構は、どのトークンをどれだけ見るかを決める。",
    "A residual connection adds the input back to the output, so gradients flow.",
    "Attention decides how much each token looks at each other token. 1 2 3 42.",
]


def random_state(config: dict[str, Any], seed: int) -> dict[str, Tensor]:
    """Random weights under the names that transformers saves, [in, out] for Conv1D."""
    source = torch.Generator().manual_seed(seed)

    def draw(*shape: int, centre: float = 0.0, spread: float = 0.25) -> Tensor:
        return centre + spread * torch.randn(*shape, generator=source)

    width = config["n_embd"]
    inner = config["n_inner"] or 4 * width
    state = {
        "wte.weight": draw(config["vocab_size"], width),
        "wpe.weight": draw(config["n_positions"], width),
    }
    for layer in range(config["n_layer"]):
        for name, fan_in, fan_out in (
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, inner),
            ("mlp.c_proj", inner, width),
        ):
            state[f"h.{layer}.{name}.weight"] = draw(fan_in, fan_out)
            state[f"h.{layer}.{name}.bias"] = draw(fan_out)
        for name in ("ln_1", "ln_2"):
            state[f"h.{layer}.{name}.weight"] = draw(width, centre=1.0)
            state[f"h.{layer}.{name}.bias"] = draw(width)
    state |= {"ln_f.weight": draw(width, centre=1.0), "ln_f.bias": draw(width)}
    state = {f"transformer.{name}": value for name, value in state.items()}
    if not config["tie_word_embeddings"]:
        state["lm_head.weight"] = draw(config["vocab_size"], width)
    return state


def write_checkpoint(folder: Path, kind: str = "bpe", seed: int = 0, **changes: Any) -> Path:
    """Write a checkpoint folder: tokenizer, config.json and one safetensors file.

    Args:
        folder: Where to; made if needed.
        kind: "bpe" (GPT-2's kind), "ours" (sentencepiece as Aura's own) or "rinna" (sentencepiece
            that normalises and puts a space in front).
        seed: Of the weights.
        changes: Entries of config.json that differ from BASE.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size, eos = {"bpe": write_bpe, "ours": write_ours, "rinna": write_rinna}[kind](folder)
    config = {**BASE, "vocab_size": size, "eos_token_id": eos, **changes}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_state(config, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_bpe(folder: Path) -> tuple[int, int]:
    """Byte-level BPE, trained on a few lines; (size, id of the end token)."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS * 4, trainer)
    backend.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return backend.get_vocab_size(), backend.token_to_id("<|endoftext|>")


def _train_sentencepiece(**options: Any) -> tuple[bytes, sentencepiece.SentencePieceProcessor]:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4),
        model_writer=out,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return out.getvalue(), sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


def write_ours(folder: Path) -> tuple[int, int]:
    """sentencepiece as Aura's own: identity, byte fallback, tags as control pieces."""
    model, pieces = _train_sentencepiece(
        model_type="unigram",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        control_symbols=TAGS,
        user_defined_symbols=["\n"],
        pad_id=1,
        eos_id=2,
        bos_id=-1,
        unk_id=0,
    )
    (folder / "spiece.model").write_bytes(model)
    (folder / "aura.json").write_text(json.dumps({"taught": True}))
    settings = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return pieces.get_piece_size(), 2


def write_rinna(folder: Path) -> tuple[int, int]:
    """sentencepiece in the style of the published Japanese GPT-2s: NFKC, a space in front, no byte fallback."""
    model, pieces = _train_sentencepiece(
        model_type="unigram",
        vocab_size=200,
        user_defined_symbols=["[PAD]", "[CLS]"],
        unk_id=0,
        bos_id=1,
        eos_id=2,
    )
    (folder / "spiece.model").write_bytes(model)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer"}))
    return pieces.get_piece_size(), 2

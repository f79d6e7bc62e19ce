"""Trains the bilingual sentencepiece tokenizer and writes it as an ordinary Hugging Face folder.

Unigram with byte fallback, digits split, no normalisation (what goes in comes out), the tags of
the prompt format as control pieces: text typed by a student can never produce one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece as spm
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

UNK, PAD, EOS = "<unk>", "<pad>", "</s>"
MODEL_FILE = "spiece.model"


def train_tokenizer(lines: Iterable[str], tags: Sequence[str], n_vocab: int, threads: int = 2) -> bytes:
    """Train a unigram model.

    Args:
        lines: Training text.
        tags: Control pieces, in a fixed order.
        n_vocab: Pieces wanted; fewer come out if the text is small.
        threads: Threads to use.

    Returns:
        The serialised sentencepiece model.
    """
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        model_type="unigram",
        vocab_size=n_vocab,
        hard_vocab_limit=False,
        byte_fallback=True,
        split_digits=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        max_sentencepiece_length=14,
        control_symbols=list(tags),
        user_defined_symbols=["\n"],
        unk_id=0, pad_id=1, eos_id=2, bos_id=-1,
        unk_piece=UNK, pad_piece=PAD, eos_piece=EOS,
        num_threads=threads,
        minloglevel=2,
    )  # fmt: skip
    return out.getvalue()


def save_tokenizer(model: bytes, folder: Path) -> int:
    """Write `spiece.model` and the equivalent `tokenizer.json` into a folder.

    Returns:
        The number of pieces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    pieces = spm.SentencePieceProcessor(model_proto=model)
    size = pieces.get_piece_size()
    vocab = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(size)]
    fast = Tokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=True))
    fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=False)
    fast.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]  # type: ignore[arg-type]
    )
    control = [pieces.id_to_piece(i) for i in range(size) if pieces.is_control(i)]
    fast.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in [UNK, *control]])
    fast.add_tokens([AddedToken("\n", normalized=False)])
    fast.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": UNK,
        "pad_token": PAD,
        "eos_token": EOS,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    return size

"""The two families of vocabularies, behind one small interface: ids, pieces and exact bytes.

sentencepiece (`spiece.model` or `tokenizer.model`, and `tokenizer.json` of that kind) writes a
space as "▁" and a single byte as "<0xE6>". Byte-level BPE, as OpenAI made it, writes every byte
as a printable stand-in, so that a space is "Ġ" and a Japanese character often several tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import sentencepiece
import tokenizers
from tokenizers import models, pre_tokenizers

from tutor.errors import ModelNotFound
from tutor.model.weights import read_json

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"
_UNKNOWN = "\u2047"  # what is shown for text that the vocabulary cannot spell


class Vocabulary(Protocol):
    """What `Tokenizer` needs to know of one family of vocabularies."""

    leading_space: bool
    """True if encoding puts a space before the text, which decoding must take away again."""

    def __len__(self) -> int: ...
    def encode(self, text: str) -> list[int]: ...
    def piece(self, token_id: int) -> str: ...
    def piece_id(self, piece: str) -> int | None: ...
    def spell(self, token_id: int) -> bytes: ...
    def is_control(self, token_id: int) -> bool: ...


def gpt2_byte_stand_ins() -> dict[str, int]:
    """Map GPT-2's printable stand-in characters back to bytes.

    Bytes that print as one visible Latin-1 character stand for themselves; the other 68, among
    them the space, took the code points from 256 on, in order. Source: Radford et al. 2019,
    the encoder released with the model.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    stand_ins = {chr(byte): byte for byte in visible}
    return stand_ins | {chr(256 + index): byte for index, byte in enumerate(hidden)}


def sentencepiece_bytes(piece: str) -> bytes:
    """Bytes of a sentencepiece piece: "<0xE6>" is one byte, "▁" a space."""
    match = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(match[1], 16)]) if match else piece.replace(_SPACE, " ").encode("utf-8")


def spell_out(piece: str, ids: Mapping[str, int], unknown: int) -> Iterator[int]:
    """Ids of a piece's single characters, or of their bytes where the vocabulary lacks the character."""
    for char in piece:
        single = [char] if char in ids else [f"<0x{byte:02X}>" for byte in char.encode("utf-8")]
        yield from (ids.get(part, unknown) for part in single)


class SentencePieceVocabulary:
    """A sentencepiece model file.

    Args:
        file: `spiece.model` or `tokenizer.model`.
        special: Pieces that the checkpoint's settings name as special.
    """

    def __init__(self, file: Path, special: set[str]) -> None:
        self._model = sentencepiece.SentencePieceProcessor()
        self._model.Load(str(file))
        size = self._model.get_piece_size()
        self._pieces = [self._model.id_to_piece(i) for i in range(size)]
        self._ids = {piece: i for i, piece in enumerate(self._pieces)}
        self._unknown: int = self._model.unk_id()
        control = {i for i in range(size) if self._model.is_control(i) or self._pieces[i] in special}
        self._control = control - {self._unknown}  # it stands for text, if only as "?"
        self.leading_space = self._starts_with_space()

    def _starts_with_space(self) -> bool:
        first = self._model.encode("a", out_type=str)
        return bool(first) and first[0].startswith(_SPACE)

    def __len__(self) -> int:
        return len(self._pieces)

    def encode(self, text: str) -> list[int]:
        """Encode text; a special piece that was typed is spelt out character by character."""
        ids: list[int] = []
        for token_id in self._model.encode(text):
            if token_id in self._control:
                ids.extend(spell_out(self._pieces[token_id], self._ids, self._unknown))
            else:
                ids.append(token_id)
        return ids

    def piece(self, token_id: int) -> str:
        return self._pieces[token_id]

    def piece_id(self, piece: str) -> int | None:
        return self._ids.get(piece)

    def spell(self, token_id: int) -> bytes:
        if token_id == self._unknown:
            return _UNKNOWN.encode("utf-8")
        piece = self._pieces[token_id]
        return sentencepiece_bytes(piece)

    def is_control(self, token_id: int) -> bool:
        return token_id in self._control


class JsonVocabulary:
    """A vocabulary of the tokenizers library: byte-level BPE, or sentencepiece's in JSON form.

    Args:
        backend: The tokenizer, already read.
        special: Tokens that the checkpoint's settings name as special.
    """

    def __init__(self, backend: tokenizers.Tokenizer, special: set[str]) -> None:
        self._backend = backend
        self._backend.encode_special_tokens = True  # typed special tokens stay plain text
        self._backend.no_padding()
        self._backend.no_truncation()
        added = backend.get_added_tokens_decoder()
        self._added = {i: token.content for i, token in added.items()}
        self._control = {i for i, token in added.items() if token.special or token.content in special}
        self._ids = backend.get_vocab(with_added_tokens=True)
        self._pieces = {i: piece for piece, i in self._ids.items()}
        self._size = max(self._pieces, default=-1) + 1
        self._control |= {self._ids[piece] for piece in special if piece in self._ids}
        self._stand_ins = gpt2_byte_stand_ins() if _is_byte_level(backend) else None
        self.leading_space = self._starts_with_space()

    def _starts_with_space(self) -> bool:
        ids = self.encode("a")
        return bool(ids) and self.spell(ids[0]).startswith(b" ")

    def __len__(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        """Encode text; a control piece that the vocabulary itself matched is spelt out."""
        ids: list[int] = []
        for token_id in self._backend.encode(text, add_special_tokens=False).ids:
            if token_id in self._control:
                spelt = spell_out(self._pieces[token_id], self._ids, token_id)
                ids.extend(part for part in spelt if part != token_id)
            else:
                ids.append(token_id)
        return ids

    def piece(self, token_id: int) -> str:
        return self._pieces.get(token_id, f"<id {token_id}>")

    def piece_id(self, piece: str) -> int | None:
        return self._ids.get(piece)

    def spell(self, token_id: int) -> bytes:
        if token_id in self._added:
            return self._added[token_id].encode("utf-8")
        piece = self._pieces.get(token_id, "")
        if self._stand_ins is None:
            return sentencepiece_bytes(piece)
        return b"".join(_byte_of(char, self._stand_ins) for char in piece)

    def is_control(self, token_id: int) -> bool:
        return token_id in self._control or token_id not in self._pieces


def _byte_of(char: str, stand_ins: dict[str, int]) -> bytes:
    return bytes([stand_ins[char]]) if char in stand_ins else char.encode("utf-8")


def _is_byte_level(backend: tokenizers.Tokenizer) -> bool:
    parts = f"{backend.pre_tokenizer!r}{backend.decoder!r}"
    return "ByteLevel" in parts


def read_vocabulary(folder: Path, special: set[str]) -> Vocabulary:
    """Read the vocabulary of a checkpoint folder, of whichever family it is.

    Args:
        folder: The checkpoint.
        special: Pieces that its settings name as special.

    Raises:
        ModelNotFound: The folder holds none.
    """
    for name in ("spiece.model", "tokenizer.model"):
        if (folder / name).is_file():
            return SentencePieceVocabulary(folder / name, special)
    if (folder / "tokenizer.json").is_file():
        return JsonVocabulary(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), special)
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return JsonVocabulary(_byte_level_bpe(folder), special | {"<|endoftext|>"})
    raise ModelNotFound(
        f"{folder} holds no tokenizer (spiece.model, tokenizer.model, tokenizer.json, or vocab.json with "
        "merges.txt). Copy the tokenizer's files there too.",
        model=str(folder),
    )


def _byte_level_bpe(folder: Path) -> tokenizers.Tokenizer:
    """Assemble GPT-2's tokenizer from the two files of its first release."""
    bpe = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    backend = tokenizers.Tokenizer(bpe)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    added = read_json(folder / "added_tokens.json")
    backend.add_tokens(sorted(added, key=lambda token: added[token]))
    return backend

"""Text to ids and back, exactly: every id knows its bytes, and one function decides what is shown.

A Japanese character is often several tokens, so ids and bytes are the truth and text is derived
from them. No token is ever added (GPT-2 has no begin-of-text), and text that a person typed never
becomes a control token: "<ja>" typed in a question is four harmless characters.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tutor.errors import BrokenCheckpoint, ModelNotFound
from tutor.model.vocabulary import Vocabulary, read_vocabulary
from tutor.model.weights import read_json
from tutor.trace import Part, TokenInfo

_VISIBLE = {"\n": "⏎", "\r": "␍", "\t": "⇥"}


class StreamDecoder:
    """Turns ids into text as they arrive; a character is released once all its bytes are there.

    Bytes that cannot be part of any character are left out of the text (the record keeps them).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._bytes = codecs.getincrementaldecoder("utf-8")("ignore")
        self._strip = tokenizer.leading_space

    def push(self, token_id: int) -> str:
        """Add one token; return the characters that are complete now, often none or several."""
        if self._tokenizer.is_special(token_id):
            return ""
        text = self._bytes.decode(self._tokenizer.token_bytes(token_id))
        if self._strip and text:
            self._strip = False
            text = text.removeprefix(" ")
        return text

    def flush(self) -> str:
        """End the text; bytes of an unfinished character are dropped. Ready for a new text after."""
        rest = self._bytes.decode(b"", final=True)
        self._bytes.reset()
        self._strip = self._tokenizer.leading_space
        return rest


class Tokenizer:
    """One checkpoint's tokenizer: text to ids, ids to bytes, bytes to display text.

    Args:
        vocabulary: The family's own part.
        eos_token_id: The token that ends a text; None if there is none.
    """

    def __init__(self, vocabulary: Vocabulary, eos_token_id: int | None) -> None:
        self.vocabulary = vocabulary
        self.eos_token_id = eos_token_id
        self.n_vocab = len(vocabulary)
        self.leading_space = vocabulary.leading_space
        self._display: dict[int, str] = {}

    def encode(self, text: str) -> list[int]:
        """Encode text that a person wrote; never yields a control token, never adds one."""
        text = text.encode("utf-8", "ignore").decode("utf-8")  # lone surrogates have no bytes
        return self.vocabulary.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids as a stream would show it: without control tokens and broken characters."""
        stream = self.stream()
        return "".join([stream.push(token_id) for token_id in ids] + [stream.flush()])

    def token_bytes(self, token_id: int) -> bytes:
        """Exact bytes that the token stands for; none for control tokens."""
        return b"" if self.is_special(token_id) else self.vocabulary.spell(token_id)

    def piece(self, token_id: int) -> str:
        """The vocabulary's own spelling, e.g. "▁the", "Ġthe", "<0xE6>"; any id has one."""
        return self.vocabulary.piece(token_id) if token_id < self.n_vocab else f"<id {token_id}>"

    def piece_id(self, piece: str) -> int | None:
        """Id of a piece given in the vocabulary's own spelling, or None."""
        return self.vocabulary.piece_id(piece)

    def is_special(self, token_id: int) -> bool:
        """True for control tokens: tags, end of text, padding, and ids beyond the vocabulary."""
        return token_id >= self.n_vocab or self.vocabulary.is_control(token_id)

    def display(self, token_id: int) -> str:
        """Text to show for one token alone.

        A control token shows its piece, bytes of a part-character show as "⟨E6⟩", and line
        breaks and tabs as a visible sign; a space stays a space.
        """
        known = self._display.get(token_id)
        if known is None:
            known = self._display[token_id] = self._make_display(token_id)
        return known

    def _make_display(self, token_id: int) -> str:
        if self.is_special(token_id):
            return self.piece(token_id)
        text = self.token_bytes(token_id).decode("utf-8", "surrogateescape")
        return "".join(_visible(char) for char in text)

    def make_info(self, position: int, token_id: int, part: Part) -> TokenInfo:
        """Describe one token of a sequence for the record."""
        return TokenInfo(
            position=position,
            token_id=token_id,
            piece=self.piece(token_id),
            token_bytes=self.token_bytes(token_id),
            text=self.display(token_id),
            part=part,
            special=self.is_special(token_id),
        )

    def stream(self) -> StreamDecoder:
        """Start decoding a text that arrives token by token."""
        return StreamDecoder(self)


def _visible(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape's mark for a byte that is no whole character
        return f"⟨{code - 0xDC00:02X}⟩"
    if char in _VISIBLE:
        return _VISIBLE[char]
    return f"⟨{code:02X}⟩" if code < 0x20 or 0x7F <= code < 0xA0 else char


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a checkpoint folder.

    Raises:
        ModelNotFound: The folder holds no tokenizer.
        BrokenCheckpoint: A tokenizer file is damaged.
    """
    settings = {
        **read_json(folder / "special_tokens_map.json"),
        **read_json(folder / "tokenizer_config.json"),
    }
    special = _special_pieces(settings)
    try:
        vocabulary = read_vocabulary(folder, special)
    except (BrokenCheckpoint, ModelNotFound):
        raise
    except Exception as error:  # both libraries raise bare Exception or RuntimeError for damaged files
        raise BrokenCheckpoint(
            f"The tokenizer in {folder} is damaged ({error}). Copy or download it again.",
            model=str(folder),
            reason=str(error),
        ) from error
    return Tokenizer(vocabulary, _find_eos(folder, settings, vocabulary))


def _text_of(token: Any) -> str | None:
    """A special token's text, which the settings give as a string or as an object."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _special_pieces(settings: dict[str, Any]) -> set[str]:
    named = [value for key, value in settings.items() if key.endswith("_token")]
    extra = settings.get("additional_special_tokens") or []
    return {text for token in [*named, *extra] if (text := _text_of(token))}


def _find_eos(folder: Path, settings: dict[str, Any], vocabulary: Vocabulary) -> int | None:
    """The end token: as the tokenizer's settings name it, else as config.json numbers it."""
    named = _text_of(settings.get("eos_token"))
    found = vocabulary.piece_id(named) if named else None
    if found is not None:
        return found
    number = read_json(folder / "config.json").get("eos_token_id")
    if isinstance(number, list):
        number = number[0] if number else None
    if isinstance(number, int) and 0 <= number < len(vocabulary):
        return number
    return vocabulary.piece_id("<|endoftext|>")

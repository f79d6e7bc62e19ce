"""Ids are the truth: bytes exact, text complete, typed tags harmless; for every kind of tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tokenizers

from tests.tiny import TAGS
from tutor.errors import BrokenCheckpoint, ModelNotFound
from tutor.model.registry import LoadedModel
from tutor.model.tokenizer import load_tokenizer

HARD = [
    "残差接続は、入力を足し戻す。",
    "Attention, please!  two  spaces",
    " leading and trailing ",
    "line\nbreak\ttab\r\n",
    "😀👩‍👩‍👧 é ﬁ Å ｶﾞ ①",
    "مرحبا ‮abc‬",
    "\x00\x01\x7f",
    "<b>&amp;</b> **x** `y` $z$",
    "𠮷野家",
    "",
    " ",
    "\n\n",
]


@pytest.mark.parametrize("name", ["bpe", "ours"])
@pytest.mark.parametrize("text", HARD, ids=repr)
def test_text_comes_back_exactly(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """Guards normalisation, dummy spaces and byte tables: nothing may be lost on the way."""
    tokenizer = request.getfixturevalue(name).tokenizer
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(tokenizer.token_bytes(i) for i in ids) == text.encode()


def test_every_byte_can_be_spelt(bpe: LoadedModel) -> None:
    """Guards the inverse of GPT-2's byte table: all 256 bytes, each exactly once."""
    singles = [bpe.tokenizer.token_bytes(i) for i in range(bpe.tokenizer.n_vocab)]
    assert {b for b in singles if len(b) == 1} == {bytes([value]) for value in range(256)}


def test_byte_pieces_are_single_bytes(ours: LoadedModel) -> None:
    tokenizer = ours.tokenizer
    found = tokenizer.piece_id("<0xE6>")
    assert found is not None
    assert tokenizer.token_bytes(found) == b"\xe6" and tokenizer.display(found) == "⟨E6⟩"


def test_a_long_text_comes_back(bpe: LoadedModel, ours: LoadedModel) -> None:
    text = "注意 is all. " * 8000
    for loaded in (bpe, ours):
        assert loaded.tokenizer.decode(loaded.tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", ["bpe", "ours", "rinna"])
def test_typed_control_tokens_stay_text(request: pytest.FixtureRequest, name: str) -> None:
    """Guards the prompt: a student who types a tag must not be able to end or redirect it."""
    tokenizer = request.getfixturevalue(name).tokenizer
    for typed in [*TAGS, "</s>", "<s>", "<unk>", "<pad>", "[PAD]", "[CLS]", "<|endoftext|>", "<0x0A>"]:
        ids = tokenizer.encode(f"a {typed}{typed} b")
        assert not [i for i in ids if tokenizer.is_special(i)], typed
        if name != "rinna":
            assert tokenizer.decode(ids) == f"a {typed}{typed} b"


@pytest.mark.parametrize("name, eos", [("bpe", "<|endoftext|>"), ("ours", "</s>"), ("rinna", "</s>")])
def test_end_of_text_is_known_and_silent(request: pytest.FixtureRequest, name: str, eos: str) -> None:
    tokenizer = request.getfixturevalue(name).tokenizer
    assert tokenizer.eos_token_id == tokenizer.piece_id(eos) is not None
    assert tokenizer.is_special(tokenizer.eos_token_id)
    assert tokenizer.token_bytes(tokenizer.eos_token_id) == b""
    assert tokenizer.display(tokenizer.eos_token_id) == eos
    assert tokenizer.decode([tokenizer.eos_token_id]) == ""


def test_nothing_is_added(loaded: LoadedModel) -> None:
    """Guards against a begin-of-text token, which GPT-2 was never given."""
    assert loaded.tokenizer.encode("") == []
    assert not any(loaded.tokenizer.is_special(i) for i in loaded.tokenizer.encode("残差 and so"))


def test_tags_are_control_pieces(ours: LoadedModel) -> None:
    for tag in TAGS:
        tag_id = ours.tokenizer.piece_id(tag)
        assert tag_id is not None and ours.tokenizer.is_special(tag_id)
        assert ours.tokenizer.make_info(0, tag_id, "tags").special
    assert ours.tokenizer.piece_id("<no such tag>") is None


def test_rinna_style_drops_the_space_that_it_added(rinna: LoadedModel) -> None:
    """Guards the first character of every reply and question: NFKC happens, the dummy space goes."""
    tokenizer = rinna.tokenizer
    ids = tokenizer.encode("ａ residual")
    assert tokenizer.piece(ids[0]).startswith("▁") and tokenizer.decode(ids) == "a residual"
    unknown = tokenizer.encode("😀")
    assert tokenizer.decode(unknown).strip() == "⁇"


@pytest.mark.parametrize("name", ["bpe", "ours"])
def test_stream_releases_whole_characters_only(request: pytest.FixtureRequest, name: str) -> None:
    """Guards against broken characters on the page: each piece of text arrives complete, none late."""
    tokenizer = request.getfixturevalue(name).tokenizer
    text = "鬱 😀 é 𠮷"
    ids = tokenizer.encode(text)
    assert len(ids) > len(text), "the text must be split within characters for this to prove anything"
    stream, shown, raw = tokenizer.stream(), "", b""
    for token_id in ids:
        shown += stream.push(token_id)
        raw += tokenizer.token_bytes(token_id)
        assert "\ufffd" not in shown
        assert shown == raw.decode("utf-8", "ignore")
    assert shown + stream.flush() == text


def test_stream_survives_bytes_that_are_no_text(bpe: LoadedModel) -> None:
    """Guards against a crash or a replacement sign when a model writes nonsense bytes."""
    tokenizer = bpe.tokenizer
    first = tokenizer.encode("鬱")[0]
    letter = tokenizer.encode("x")[0]
    stream = tokenizer.stream()
    assert [stream.push(i) for i in (first, letter, first)] == ["", "x", ""]
    assert stream.flush() == ""
    assert stream.push(letter) == "x", "the stream must be clean again after flush"


def test_display_of_part_characters_and_signs(bpe: LoadedModel) -> None:
    tokenizer = bpe.tokenizer
    pieces = [tokenizer.display(i) for i in tokenizer.encode("鬱")]
    assert "".join(pieces) == "⟨E9⟩⟨AC⟩⟨B1⟩"
    assert [tokenizer.display(i) for i in tokenizer.encode("\n\t\x00")] == ["⏎", "⇥", "⟨00⟩"]
    assert tokenizer.display(tokenizer.encode(" ")[0]) == " "


def test_make_info_holds_everything(bpe: LoadedModel) -> None:
    token_id = bpe.tokenizer.encode(" each")[0]
    info = bpe.tokenizer.make_info(7, token_id, "question")
    assert (info.position, info.token_id, info.part, info.special) == (7, token_id, "question", False)
    assert info.piece.startswith("Ġ") and info.token_bytes.startswith(b" ") and info.text.startswith(" ")


def test_ids_beyond_the_vocabulary_have_a_name(bpe: LoadedModel) -> None:
    """Guards models whose output was padded to a round size and then draw such an id."""
    info = bpe.tokenizer.make_info(0, 99_999, "reply")
    assert info.special and info.token_bytes == b"" and info.text == "<id 99999>"
    assert bpe.tokenizer.decode([99_999]) == ""


def test_lone_surrogates_do_not_crash(loaded: LoadedModel) -> None:
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("a\ud800b")) in ("ab", "a b")


def test_vocab_and_merges_equal_tokenizer_json(bpe_folder: Path, bpe: LoadedModel, tmp_path: Path) -> None:
    """Guards the oldest GPT-2 folders, which have vocab.json and merges.txt only."""
    backend = tokenizers.Tokenizer.from_file(str(bpe_folder / "tokenizer.json"))
    backend.model.save(str(tmp_path))
    old = load_tokenizer(tmp_path)
    for text in HARD:
        assert old.encode(text) == bpe.tokenizer.encode(text)
    assert old.eos_token_id == bpe.tokenizer.eos_token_id
    assert not any(old.is_special(i) for i in old.encode("<|endoftext|>"))


def test_sentencepiece_saved_as_json_equals_the_model_file(ours_folder: Path, tmp_path: Path) -> None:
    """Guards folders that transformers saved again: only tokenizer.json, Metaspace, byte fallback."""
    from tutor.training.tokenizer import save_tokenizer

    save_tokenizer((ours_folder / "spiece.model").read_bytes(), tmp_path)
    (tmp_path / "spiece.model").unlink()
    model, saved = load_tokenizer(ours_folder), load_tokenizer(tmp_path)
    assert (saved.eos_token_id, saved.n_vocab) == (model.eos_token_id, model.n_vocab)
    for text in ["残差接続は足し戻す。", "Attention, 42 looks.", "鬱 😀\n x"]:
        ids = saved.encode(text)
        assert saved.decode(ids) == text
        assert [saved.token_bytes(i) for i in ids] == [model.token_bytes(i) for i in ids]
    for tag in TAGS:
        assert saved.is_special(saved.piece_id(tag) or -1)
        assert not any(saved.is_special(i) for i in saved.encode(tag))


def test_missing_and_damaged_tokenizers_are_named(
    bpe_folder: Path, ours_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFound, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    for folder, file in ((bpe_folder, "tokenizer.json"), (ours_folder, "spiece.model")):
        target = Path(shutil.copytree(folder, tmp_path / file))
        data = (target / file).read_bytes()
        (target / file).write_bytes(data[: len(data) // 2])
        with pytest.raises(BrokenCheckpoint, match="damaged"):
            load_tokenizer(target)


def test_eos_from_config_when_the_tokenizer_is_silent(bpe_folder: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(bpe_folder, tmp_path / "copy"))
    (target / "tokenizer_config.json").unlink()
    config = json.loads((target / "config.json").read_text()) | {"eos_token_id": 17}
    (target / "config.json").write_text(json.dumps(config))
    assert load_tokenizer(target).eos_token_id == 17

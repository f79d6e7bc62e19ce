"""What is asked (kind) and in which language, from the wording alone."""

from __future__ import annotations

import re

from tutor.content.loader import Kind, Lang
from tutor.content.text import katakana_to_hiragana, normalise

_RULES: tuple[tuple[Kind, str], ...] = (
    ("brief", r"一言|ひとこと|一文|ワンフレーズ|短く|手短|簡潔|一行で|ざっくり|かいつまんで|要約|\bone (short )?(sentence|line|breath)\b|"
              r"\bbriefly\b|\bin short\b|one-liner|nutshell|tl;?dr|short (answer|version)|in (a few|ten|five) words|quick(ly)?\b.*(answer|version)|sum up"),
    ("compare", r"違い|ちがい|違う|どう(ちが|違)|比べ|くらべ|比較|(どっち|どちら)|対比|使い分け|区別|\bchigai\b|\bvs\.?\b|versus|"
                r"differen(ce|t|ces)|differ\b|compare|compared|comparison|distinguish|contrast|tell .* apart|or .* better"),
    ("code", r"コード|こーど|実装|pytorch|パイトーチ|python|プログラム|ソース|スクリプト|関数で書|\bcode\b|implement|snippet|in torch\b|"
             r"huggingface|hugging face|\bapi\b"),
    ("formula", r"数式|公式|計算式|定義式|(の|を)式|式(は|を|で|って|教|に)|formula|equation|mathematical|\bin maths?\b|notation|latex"),
    ("number", r"いくつ|何個|何層|何次元|何本|何回|何トークン|何語|何文字|何年|何バイト|何パラメ|いくら|どれ(くらい|ぐらい|だけ)(の数|大き|多|の大き|のサイズ|あ)|"
               r"(数|サイズ|大きさ|個数|パラメータ数)(は|って|を|が|教)|how (many|much|big|large|long|wide|deep|often|far|tall)\b|"
               r"number of|what size|size of|(parameter|layer|head|token) count|\bcount of\b|what year|when was|いつ(公開|発表|出)"),
    ("analogy", r"たとえ(て|る|話|たら|ると|で|を)|例えて|例えると|例えるなら|例えたら|比喩|ひゆ|身近|なぞらえ|みたいなもの|イメージで|analog|metaphor|everyday|"
                r"real[- ]life|like i'?m|eli5|picture (of|for)|mental (image|picture)|(what is|what's) it like|compare it to something|story"),
    ("example", r"例え?ば|たとえば|具体例|具体的|実例|例(を|は|が|で|見|って|示|ある)|サンプル|数字で|\bexample|for instance|concrete|worked|"
                r"walk me through .* numbers|with numbers|sample\b.*(show|give)"),
    ("misconception", r"(って)?(本当|ほんと|ホント|まじ|マジ)|(だ|です|ます|る|た|い)よね|でしょ|(だ|です)っけ|じゃない(の|ん|です)|ではない(の|ん|です)|はず(だ|じゃ|で|よ|$)|"
                      r"と(聞い|きい|思)|って(聞い|きい|思)|誤解|勘違い|合って(る|い)|正しい|間違|ということ(は|だ|で|よ)|"
                      r",? (right|correct|yes|no)\?*$|is it (true|correct|right)|isn'?t it|doesn'?t it|don'?t they|aren'?t they|isn'?t that|"
                      r"i (thought|heard|read|believe|assume)|true or false|myth|misconception|am i (right|wrong)|so (gpt|it|the|attention|a|they)\b.*[,?]"),
    ("why", r"なぜ|何故|なんで|どうして|理由|わけ(は|を|が|って|教)|必要|何のため|なんのため|意味(が|は)あ|目的|メリット|利点|嬉しい|うれしい|ありがた|役に立|効果|効く|"
            r"いいこと|\bnaze\b|\bnande\b|\bwhy\b|reason|what.{0,30}\bfor\b\??$|purpose|point of|benefit|advantage|need(ed)?\b|matter|bother|"
            r"what (would )?(happen|go(es)? wrong)|motivation|useful|good for|help(s|ful)?\b"),
    ("how", r"どうやって|どのように|どんなふうに|どういうふうに|どうなって|仕組み|しくみ|手順|流れ|メカニズム|過程|ステップ|順番|詳しく|くわしく|中身|中で|内部|"
            r"どう(動|働|計算|決|作|使|処理|な|す|や|い)|\bhow\b|step[- ]by[- ]step|mechanism|inside|in detail|details|deeper|works?\b|process|procedure|elaborate|compute"),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern, re.I)) for kind, pattern in _RULES)
_ROMAJI = set(
    "tte nani nan desu desuka ka wa wo no naze nande doushite oshiete kudasai nandesuka imi toha towa dou "
    "douiu shikumi chigai rei tatoe onegai hanashi iu".split()
)
_ENGLISH = set(
    "what why how is are the a an of in does do did explain tell me can you i to and it that give show please "
    "whats for with us between was were which when who there so but on be my your about mean means".split()
)
_WORD = re.compile(r"[A-Za-z']+")
_KANA_RUN = re.compile(r"[\u3041-\u3096\u30fc]")
_JAPANESE = re.compile(r"[\u3041-\u30fa\u30fc\u3400-\u9fff]")


def find_kind(question: str) -> Kind | None:
    """The kind that the wording asks for; None if nothing in it says so (then "what" is meant).

    >>> find_kind("残差接続の式は？"), find_kind("why does attention help"), find_kind("GPT-2")
    ('formula', 'why', None)
    """
    text = normalise(question)
    for kind, pattern in _COMPILED:
        if pattern.search(text):
            return kind
    return None


def find_language(question: str, aliases: list[str], default: Lang) -> Lang:
    """The language of the question's frame: its terms do not count.

    Args:
        question: Normalised question.
        aliases: Folded names of topics, longest first; taken out before looking.
        default: Language of the page, used when the frame says nothing.

    >>> find_language("residual connectionって何?", ["residual connection"], "en")
    'ja'
    >>> find_language("what does 残差接続 mean", ["残差接続"], "ja")
    'en'
    """
    frame = katakana_to_hiragana(question.lower())
    for alias in aliases:
        if alias in frame:
            frame = frame.replace(alias, " ")
    words = [word.lower() for word in _WORD.findall(frame)]
    english = sum(word in _ENGLISH for word in words)
    romaji = sum(word in _ROMAJI for word in words)
    kana = len(_KANA_RUN.findall(frame))
    japanese = len(_JAPANESE.findall(frame))
    if kana >= 2 or japanese >= 3:
        return "en" if english >= 3 and english > kana / 2 else "ja"
    if romaji > english:
        return "ja"
    if english or len(words) >= 2:
        return "en"
    if _JAPANESE.search(question):
        return "ja"
    return default if not words and not _WORD.search(question) else _only_terms(question, default)


def _only_terms(question: str, default: Lang) -> Lang:
    """A bare term, or a single word, in Latin letters."""
    return "en" if len(_WORD.findall(question)) > 1 else default

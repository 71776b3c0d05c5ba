"""The offline summariser: choose a text's own best sentences. Pure, exact about what it does, and no language model.

A sentence is worth the mean weight of its words (how often each occurs in the text, function words aside), a little
more where it opens the text or a paragraph: that is where writers put the point. Sentences that say again what a
chosen one says are passed over. The chosen ones come back in the order of the text, word for word.
"""

import re
from collections import Counter
from typing import NamedTuple

NAME = "the offline summariser"
SHARE = 0.25
"""The part of the sentences that a summary keeps."""
MOST = 6
"""Sentences in the longest summary."""
LONGEST = 400
"""Characters of a sentence before it is clipped: a list without full stops is one endless sentence."""

_FUNCTION_WORDS = """
    a about above after again all also am an and any are as at be because been before being between both but by can
    could did do does doing down during each few for from further had has have having he her here hers him his how i
    if in into is it its itself just may me might more most must my no nor not now of off on once only or other our
    out over own said same say says shall she should so some such than that the their them then there these they this
    those through to too under until up upon us very was we were what when where which while who whom why will with
    would you your yours aber als auch auf aus bei das dass de dem den der des die du ein eine einem einen einer er es
    est et für hat ich il ihr im ist je kein la le les mit nach nicht noch nur oder que sich sie sind un und une uns
    vom von war wie wir wird zu zum zur el en los las por para con una se su
"""
_SILENT = frozenset(_FUNCTION_WORDS.split())
_SHORT_FORMS = """
    mr mrs ms dr prof sr jr st vs etc e.g i.e cf al fig vol approx inc ltd co corp dept gen gov sen rep jan feb mar apr
    jun jul aug sep sept oct nov dec a.m p.m u.s u.k z.b d.h bzw usw
"""
_ABBREVIATIONS = frozenset(_SHORT_FORMS.split())
# Possessive, and never starting inside a row of dots: linear in the text, whatever the text.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s)|[。！？]++[」』”]*+")  # noqa: RUF001 - so people write
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - both apostrophes


class _Sentence(NamedTuple):
    text: str
    opens: bool
    """Whether it is the first one of its paragraph."""
    words: frozenset[str]
    score: float = 0.0


def summarise(text: str, *, most: int = MOST) -> str:
    """Return the best sentences of a text in their order; a text of one or two sentences is its own summary."""
    sentences = _read(text)
    keep = min(most, max(1, round(len(sentences) * SHARE)))
    if len(sentences) > 2:
        sentences = _choose(_weigh(sentences), keep)
    return " ".join(_clip(sentence.text) for sentence in sentences)


def split_sentences(paragraph: str) -> list[str]:
    """Split a paragraph at the ends of its sentences, not at "Dr." or an initial."""
    found, start = [], 0
    for end in _END.finditer(paragraph):
        if not _is_abbreviation(paragraph[start : end.end()]):
            found.append(paragraph[start : end.end()].strip())
            start = end.end()
    found.append(paragraph[start:].strip())
    return [sentence for sentence in found if _WORD.search(sentence)]


def _is_abbreviation(piece: str) -> bool:
    if not piece.endswith(".") or piece.endswith(".."):
        return False
    last = piece[-20:].rsplit(maxsplit=1)[-1].lstrip("(\"'“").removesuffix(".").lower()
    return last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")


def _read(text: str) -> list[_Sentence]:
    sentences = []
    # A blank line ends a paragraph, and so does the next item of a list; any other line break is only wrapping.
    for paragraph in re.split(r"\n[^\S\n]*\n|\n(?=\s*[-*•] )", text):
        for place, sentence in enumerate(split_sentences(" ".join(paragraph.split()))):
            sentences.append(_Sentence(sentence, place == 0, _content(sentence)))
    return sentences


def _content(sentence: str) -> frozenset[str]:
    words = (word.casefold() for word in _WORD.findall(sentence))
    return frozenset(word for word in words if word not in _SILENT and len(word) > 1)


def _weigh(sentences: list[_Sentence]) -> list[_Sentence]:
    counts = Counter(word for sentence in sentences for word in sentence.words)
    weighed = []
    for place, sentence in enumerate(sentences):
        # + 3: a sentence of two frequent words says less than its mean promises.
        mean = sum(counts[word] for word in sentence.words) / (len(sentence.words) + 3)
        position = 1.5 if place == 0 else 1.15 if sentence.opens else 1.0
        weighed.append(sentence._replace(score=mean * position))
    return weighed


def _choose(sentences: list[_Sentence], keep: int) -> list[_Sentence]:
    chosen: list[int] = []
    for place in sorted(range(len(sentences)), key=lambda place: (-sentences[place].score, place)):
        if len(chosen) < keep and not any(_alike(sentences[place], sentences[other]) for other in chosen):
            chosen.append(place)
    return [sentences[place] for place in sorted(chosen)]


def _alike(one: _Sentence, other: _Sentence) -> bool:
    return 2 * len(one.words & other.words) > len(one.words | other.words)


def _clip(sentence: str) -> str:
    if len(sentence) <= LONGEST:
        return sentence
    return sentence[:LONGEST].rsplit(" ", 1)[0] + " …"

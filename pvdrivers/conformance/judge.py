"""Observations → a verdict; nothing here runs anything.

Rules against false verdicts: what a clause leaves open is no failure; time alone is none either, unless a sibling of
the same driver answers meanwhile (`run` asks it); a known divergence is a quirk, and only that one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pvdrivers.conformance.case import Case, Verdict
from pvdrivers.conformance.observation import NEVER, Observation, Seen
from pvdrivers.conformance.quirks import Quirk

#: The worst first: a case has the worst verdict of all that was seen.
_WORST = (
    Verdict.CRASHED,
    Verdict.WEDGED,
    Verdict.FAIL,
    Verdict.LEAK,
    Verdict.INCONCLUSIVE,
    Verdict.XPASS,
    Verdict.QUIRK,
    Verdict.PASS,
)


def judge(
    case: Case, seen: Sequence[Seen], quirks: Sequence[Quirk], held: Mapping[str, int], *, sibling: bool
) -> tuple[Verdict, str]:
    """Judge what was seen of a driver; give the verdict and what it is for, in words.

    :param quirks: of this driver and case
    :param held: what did not come back, by what it is; nothing or zeros for none
    :param sibling: whether a sibling was served at the end
    """
    known = [next((quirk for quirk in quirks if quirk.explains(each)), None) for each in seen]
    explained = zip(seen, known, strict=True)
    found = [(_worth(case, each, quirk, sibling=sibling), _words(each, quirk)) for each, quirk in explained]
    if not seen:
        found.append((Verdict.INCONCLUSIVE, "nothing was observed"))
    if not sibling and not any(each.observation in {Observation.SILENT, Observation.CRASHED} for each in seen):
        found.append((Verdict.FAIL, "a sibling device is not served any more"))
    if left := ", ".join(f"{number:+} {what}" for what, number in held.items() if number):
        found.append((Verdict.LEAK, f"not as before: {left}"))
    if gone := [quirk for quirk in quirks if quirk not in known and not quirk.sometimes]:
        found.append((Verdict.XPASS, "a known quirk is gone: " + ", ".join(quirk.observation.word for quirk in gone)))
    verdict = min((verdict for verdict, _ in found), key=_WORST.index)
    if verdict is Verdict.PASS:
        return verdict, _summary(seen)
    return verdict, "; ".join(dict.fromkeys(words for each, words in found if each is verdict))


def _worth(case: Case, seen: Seen, quirk: Quirk | None, *, sibling: bool) -> Verdict:
    if seen.observation is Observation.CRASHED:
        return Verdict.CRASHED
    if seen.observation in case.allow:
        return case.allow[seen.observation]
    if quirk:
        return Verdict.QUIRK
    if seen.observation is Observation.SILENT:
        return Verdict.WEDGED if sibling else Verdict.INCONCLUSIVE
    return Verdict.FAIL if case.clause.must or seen.observation in NEVER else Verdict.INCONCLUSIVE


def _words(seen: Seen, quirk: Quirk | None) -> str:
    detail = quirk.text if quirk else seen.detail or seen.observation.says
    return f"{seen.what}: {seen.observation.word} ({detail})" if seen.what else f"{seen.observation.word} ({detail})"


def _summary(seen: Sequence[Seen]) -> str:
    counts = Counter(each.observation.word for each in seen)
    return ", ".join(f"{number} {word}" if number > 1 else word for word, number in counts.items())

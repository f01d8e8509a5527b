"""Words from elsewhere, made fit to be shown: the one way in which people get to see names that others chose.

Names of domains, files and hosts, values and messages may hold what a terminal acts on (escape sequences, carriage
returns), what makes a reader see another text (changes of direction, characters without width), or half a character.
Documents for programs (JSON, CSV, Parquet, Perfetto) have names as they are; all else comes through here.
"""

import re

# Without width or look, and yet printable by Python's rule. Ref: Unicode, DerivedCoreProperties.txt,
# Default_Ignorable_Code_Point; the others of these are no printable characters.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str) -> str:
    r"""Write what is no visible character as an escape: ``\x1b``, ``\n``, ``\u202e``.

    A text that went through stays as it is if it does so again: backslashes are not doubled.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def printable_lines(text: str) -> str:
    """Do the same for a text of several lines: their ends stay."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(character: str) -> str:
    if character.isprintable() and not _UNSEEN.match(character):
        return character
    return character.encode("unicode_escape").decode()

"""docs/glossary.md is what `xentool explain` says."""

from tests.docs import glossary
from traces.explained import words


def test_the_page_is_made_of_the_texts() -> None:
    assert glossary.PAGE.read_text() == glossary.page()


def test_every_word_is_on_it() -> None:
    page = glossary.page()
    assert [word for word in words() if f"`{word}`" not in page and f"`{word.replace('_', ' ')}`" not in page] == []

"""Every name of the tables has its text, and every text says something, in the form that all have."""

import re
from fnmatch import fnmatchcase

import pytest

from tests.docs.paths import ROOT
from traces.analyses import findings
from traces.explained import about, every, explain, named, words
from traces.explained.names import ALIASES, KINDS
from traces.explained.texts import texts
from traces.kvm.counted import KINDS as COUNTED

TABLED = [kind for kind, of in KINDS.items() if of.names is not None]
FILES = {path.stem for path in (ROOT / "traces/explained/texts").glob("*.toml")}


@pytest.mark.parametrize("kind", TABLED)
def test_every_name_has_one_text_and_every_text_a_name(kind: str) -> None:
    of = KINDS[kind].names
    assert of is not None
    table = set(of())
    patterns = [pattern for text in texts(KINDS[kind].files) for pattern in text.names]
    matching = {name: [one for one in patterns if fnmatchcase(name, one)] for name in table}
    assert {name: found for name, found in matching.items() if len(found) != 1} == {}
    assert [one for one in patterns if not any(fnmatchcase(name, one) for name in table)] == []
    assert set(named(kind)) == table


def test_every_file_is_of_a_kind() -> None:
    assert {file for kind in KINDS.values() for file in kind.files} == FILES


def test_what_a_report_counts_of_kvms_is_explained() -> None:
    assert {name for name in COUNTED if name.startswith("kvm_")} <= set(named("KVM event"))


def test_rules_of_findings_are_all_named() -> None:
    source = (ROOT / "traces/analyses/findings.py").read_text()
    written = set(re.findall(r'(?:Finding|ExitRule)\(\s*"(\w+)"', source))
    assert written == set(findings.RULES)
    assert len(findings.RULES) == len(written)


def test_texts_are_sentences_of_some_length() -> None:
    for one in every():
        assert re.fullmatch(r'["A-Za-z0-9].{14,219}\.', one.why), one
        assert re.fullmatch(r".{3,199}\.", one.when), one
        assert 3 < len(one.look) < 200, one
        assert "\n" not in one.why + one.when + one.look
        assert one.look.count("`") % 2 == 0, one


def test_findings_and_documents_that_texts_send_to_are_there() -> None:
    for one in every():
        for name in re.findall(r'the finding "([^"]*)"', one.look):
            assert about("finding", name.replace(" ", "_")) is not None, one
        for path in re.findall(r"(?<!/)\bdocs/[\w/-]+\.md", one.look):
            assert (ROOT / path).exists(), one


def test_a_word_of_two_kinds_is_explained_in_both() -> None:
    call, leave = explain("iret")
    assert (call.kind, call.name, leave.kind, leave.name) == ("hypercall", "iret", "SVM exit", "IRET")
    assert "ring 3" in call.why
    assert "NMI" in leave.when


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("root mode", "term", "root_mode"),
        ("Non-Root Mode", "term", "non-root_mode"),
        ("EPT", "term", "nested_paging"),
        ("ept-violation", "VMX exit", "EPT_VIOLATION"),
        ("preemption_timer", "VMX exit", "VMX_PREEMPTION_TIMER_EXPIRED"),
        ("copy", "sub-operation", "grant_table_op.copy"),
        ("sched_op.block", "sub-operation", "sched_op.block"),
        ("ptwr flood", "finding", "ptwr_flood"),
        ("CR8_WRITE", "SVM exit", "CR8_WRITE"),
        ("kvm_mmio", "KVM event", "kvm_mmio"),
    ],
)
def test_words_are_found_as_people_write_them(word: str, kind: str, name: str) -> None:
    (found,) = explain(word)
    assert (found.kind, found.name) == (kind, name)


def test_a_term_says_its_other_names() -> None:
    (found,) = explain("npt")
    assert (found.name, found.also) == ("nested_paging", ("hap", "ept", "npt", "second_level_address_translation"))


def test_what_linux_calls_otherwise_has_the_tables_text() -> None:
    for kind, names in ALIASES.items():
        for linux, xen in names.items():
            theirs, ours = about(kind, linux), about(kind, xen)
            assert theirs is not None
            assert ours is not None
            assert (theirs.name, theirs.why) == (linux, ours.why)


def test_families_say_what_is_true_of_each() -> None:
    same = named("SVM exit")
    assert same["CR3_READ"] is same["CR0_WRITE"]
    assert same["CR8_WRITE"] is not same["CR0_WRITE"]
    assert same["CR4_WRITE_TRAP"] is not same["CR4_WRITE"]


@pytest.mark.parametrize("word", ["", " ", "nothing_such", "*", "CR?_READ", "../hypercalls"])
def test_what_is_no_word_is_not_explained(word: str) -> None:
    assert explain(word) == []
    assert about("hypercall", word) is None


def test_all_words_are_explained() -> None:
    assert [word for word in words() if not explain(word)] == []

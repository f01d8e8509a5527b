"""Files that can be read in one sitting: half of them within 100 lines, nine of ten within 300, and none above 600."""

from pathlib import Path

TREE = Path(__file__).parents[2]
HALF, MOST, LIMIT = 100, 300, 600

#: Why a file is longer all the same, in a sentence.
LONGER = {
    "traces/counting/fold.pyx": "What rows do to vCPUs, domains and latencies is inlined into one loop.",
    "tests/xentool/detect/machines.py": "Files of machines as they are, one after the other: data, no code.",
}


def sizes() -> dict[str, int]:
    found = {}
    for folder in ("xentool", "pvdrivers", "traces", "tests"):
        for path in (TREE / folder).rglob("*"):
            if path.suffix in {".py", ".pyx", ".pxd", ".pyi"}:
                found[str(path.relative_to(TREE))] = len(path.read_text().splitlines())
    return found


def test_half_of_all_files_are_short_and_few_are_long() -> None:
    ordered = sorted(sizes().values())
    assert len(ordered) > 500
    assert ordered[len(ordered) // 2] <= HALF
    assert ordered[len(ordered) * 9 // 10] <= MOST


def test_whatever_is_longer_says_why() -> None:
    long = {name: lines for name, lines in sizes().items() if lines > LIMIT}
    assert set(long) == set(LONGER), long

import pytest

from traces.analyses.phases.marks import LINE_MAX, Lines, Mark, parse


def test_a_mark_is_found_wherever_the_kernel_puts_the_time() -> None:
    assert parse("[   12.345678] xentool-phase begin disk-write 200\r") == Mark("disk-write", 200)
    assert parse("xentool-phase end disk-write") == Mark("disk-write", None)


@pytest.mark.parametrize(
    "line",
    [
        "xentool-phase done",
        "xentool-phase begin disk-write",
        "xentool-phase begin disk-write 1234567890",
        "xentool-phase begin DISK 1",
        "xentool-phase end disk-write2",
        f"xentool-phase begin {'a' * 33} 1",
        f"{'x' * LINE_MAX}xentool-phase end net",
    ],
)
def test_what_is_no_mark(line: str) -> None:
    assert parse(line) is None


def test_lines_are_put_together_of_bytes() -> None:
    lines, found = Lines(), []
    for at, byte in enumerate(b"hello\nxentool-phase end net\r\nxentool-pha"):
        assert lines.empty == (at in {0, 6, 29})
        found += [mark] if (mark := lines.feed(byte)) else []
    assert found == [Mark("net", None)]


def test_a_line_without_an_end_takes_no_more_room_than_one_has() -> None:
    lines = Lines()
    for _ in range(3 * LINE_MAX):
        assert lines.feed(ord("x")) is None
    assert len(lines._line) == LINE_MAX

"""A worker's thread ends, whenever Ctrl-C comes."""

import threading

import pytest

from traces.worker import Worker


def test_answers_come_in_the_order_of_questions_and_errors_where_they_are_asked_for() -> None:
    done: list[int] = []
    with Worker() as worker:
        first, wrong, last = (worker.submit(lambda n: done.append(10 // n), number) for number in (5, 0, 2))
        last.result()
        assert done == [2, 5]
        assert first.result() is None
        with pytest.raises(ZeroDivisionError):
            wrong.result()


@pytest.mark.parametrize("runs", [True, False])
def test_interrupted_while_its_thread_begins_it_ends(runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[threading.Thread] = []
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        began.append(thread)
        if runs:
            start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), Worker() as worker:
        worker.submit(lambda: None)
    (thread,) = began
    assert (thread.ident is not None) == runs
    if runs:
        thread.join(600)
    assert not thread.is_alive()

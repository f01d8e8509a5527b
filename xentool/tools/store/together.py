"""Several requests of a store at a time: each waits for the store and the way there; many take hardly longer than one.

It is as much of ``concurrent.futures`` as that needs: importing it brings ``logging``, which takes a slow machine long.
"""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TypeVar

About = TypeVar("About")
Found = TypeVar("Found")

#: Requests under way. Xen allows a guest 20.
_AT_ONCE = 16


def together(do: Callable[[About], Found], about: Iterable[About]) -> list[Found]:
    """Do something about each of several, and give what that gives, in their order.

    What is raised first, in that order, is raised here; what was not begun by then is left undone.
    """
    todo = deque(enumerate(about))
    found: dict[int, Found] = {}
    raised: dict[int, BaseException] = {}

    def work() -> None:
        while True:
            try:
                at, each = todo.popleft()
            except IndexError:
                return
            try:
                found[at] = do(each)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever asked
                raised[at] = error
                todo.clear()

    threads = [Thread(target=work) for _ in range(min(_AT_ONCE, len(todo)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        # Who interrupts that wants no more begun.
        todo.clear()
    if raised:
        raise raised[min(raised)]
    return [found[at] for at in sorted(found)]

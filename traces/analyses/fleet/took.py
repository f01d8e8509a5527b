"""What it took to read many captures."""

from traces.plain import frozen


@frozen
class Took:
    """How captures were read.

    :param start_s: seconds until workers were there; ``work_s`` the rest
    :param memory: the most bytes that this process had, and that a worker had
    :param interrupted: whether it ended before all were read
    """

    start_s: float
    work_s: float
    workers: int
    memory: tuple[int, int]
    interrupted: bool

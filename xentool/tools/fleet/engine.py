"""Dask's scheduler and workers: those of this machine, made for one run, or somebody's who gave an address.

Ref: distributed.yaml and docs.dask.org/en/stable/deploying-python-advanced.html of dask.distributed
"""

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from traces.plain import frozen
from xentool.errors import Unavailable, XentoolError
from xentool.tools.fleet.extra import needed
from xentool.tools.fleet.scratch import scratch

#: Seconds in which a scheduler must answer, and workers of our own must be there: machines may be starved.
ANSWER_S, START_S = 30.0, 600.0
#: Seconds that a run's end waits for workers to end by themselves, before they are killed.
_END_S = 60.0
_LOOPBACK = "127.0.0.1"
#: What is said of Dask's own options; of a cluster elsewhere, its own decide.
_OPTIONS = {
    # A worker that has not come back by then is given up for good, and what is left waits for ever.
    "distributed.deploy.lost-worker-timeout": "1h",
    # Our workers are ours to watch: who is starved, or stopped for a while, is not dead.
    "distributed.scheduler.worker-ttl": "1h",
    "distributed.comm.timeouts.connect": "300s",
    "distributed.comm.timeouts.tcp": "300s",
    # A task that only waits at a worker that dies is blamed as well; so none waits there. Whose worker died is tried
    # again by us, alone, and not beside others.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.profile.enabled": False,
    # What reads captures is loaded while workers start, by all at once, and not by their first tasks.
    "distributed.worker.preload": ["xentool.tools.fleet.task"],
    # Buffers of one capture are there for the next, where Dask would have the C library give all memory back at once
    # and the kernel clear it anew: a quarter of the time that a capture of 19 MB takes.
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 32 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 << 20,
    "logging": {"distributed": "critical"},
}


@frozen
class Engine:
    """Where work is done.

    :param client: Dask's
    :param workers: how many there were at the start
    :param dashboard: its address; None where nobody has one
    :param start_s: seconds that the start took
    """

    client: Any
    workers: int
    dashboard: str | None
    start_s: float


@contextmanager
def engine(scheduler: str | None, workers: int | None) -> Iterator[Engine]:
    """Give workers until the end of the context, after which none of ours is left.

    :param scheduler: address of one that somebody else has started
    :param workers: how many are started else; None for as many as there are cores
    :raises XentoolError: Dask is missing
    :raises Unavailable: the scheduler does not answer, or has no workers
    """
    distributed = needed("distributed")
    dask = needed("dask")
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if scheduler is None:
            folder = stack.enter_context(scratch())
            stack.enter_context(dask.config.set(_OPTIONS | {"temporary-directory": folder}))
            client, count = stack.enter_context(_own(distributed, workers or len(os.sched_getaffinity(0))))
        else:
            client, count = stack.enter_context(_theirs(distributed, scheduler))
        link = client.dashboard_link if _has_dashboard() else None
        yield Engine(client, count, link, time.monotonic() - began)


@contextmanager
def _own(distributed: Any, workers: int) -> Iterator[tuple[Any, int]]:  # noqa: ANN401 - a library that is loaded late
    # Threads that start now, and workers that they start, now or in place of a dead one, don't hear of Ctrl-C: it is
    # this process that ends them.
    # What tracks resources of processes would undo that in the thread that starts it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    cluster = client = None
    try:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=_LOOPBACK,
            dashboard_address=f"{_LOOPBACK}:0",
            # Workers have none of their own: the scheduler's tells of all, and to draw one takes long to load.
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        client = distributed.Client(cluster, timeout=START_S, set_as_default=False)
        client.wait_for_workers(workers, timeout=START_S)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield client, workers
    finally:
        # A second Ctrl-C does not leave the first one's work half done.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for one in (client, cluster):
            if one is not None:
                with suppress(Exception):
                    one.close(timeout=_END_S)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _theirs(distributed: Any, address: str) -> Iterator[tuple[Any, int]]:  # noqa: ANN401 - see above
    if address.startswith("tls://") and not distributed.Security().get_connection_args("client").get("ssl_context"):
        raise XentoolError(
            f"{address} takes certificates, and Dask's settings name none: distributed.comm.tls.ca-file, "
            "distributed.comm.tls.client.cert and distributed.comm.tls.client.key"
        )
    try:
        client = distributed.Client(address, timeout=ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"no scheduler answers at {address} within {ANSWER_S:g} s") from error
    except ValueError as error:
        raise XentoolError(f"{address} is no address of a scheduler: {error}") from error
    try:
        workers = count(client)
        if not workers:
            raise Unavailable(f"the scheduler at {address} has no workers; `dask worker {address}` starts one")
        yield client, workers
    finally:
        with suppress(Exception):
            client.close(timeout=_END_S)


def count(client: Any) -> int:  # noqa: ANN401 - see above
    """Say how many workers there are.

    :raises OSError, TimeoutError: the scheduler does not answer
    """
    about = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_S)
    return len(about["workers"])


def _has_dashboard() -> bool:
    try:
        import bokeh  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    # What Dask says of workers that die is told by us, in a line.
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)

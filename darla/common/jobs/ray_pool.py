"""A Ray cluster with the interface of a process pool, to run jobs on many machines.

Every machine of the cluster must have darla installed and must see the output folder under the same path.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from darla.common.errors import InputError
from darla.common.jobs.worker_errors import report_faults
from darla.common.threads import limit_threads
from darla.common.tracking.trackers import chosen_tracker, tracking

LOCAL = "local"
"""Instead of an address: a temporary cluster on this machine alone."""
_TRIES = 3
"""Times that a function is started again, here or elsewhere, after its worker or its machine was lost. What it
raises itself is final."""


class RayPool(Executor):
    """Run functions on one core each, wherever the cluster has one free.

    Functions must be safe to start again: a worker may be killed, or a machine switched off, in the middle of one.
    """

    def __init__(self, ray: Any) -> None:
        self._run = ray.remote(num_cpus=1, max_retries=_TRIES)(_call)
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
        """Cores of the cluster."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `function` with `args` and `kwargs`, which are sent to another machine."""
        future: Future[Any] = self._run.remote(function, args, kwargs, chosen_tracker()).future()
        return future


@contextmanager
def ray_pool(address: str, workers: int | None = None) -> Iterator[RayPool]:
    """Open a pool on a Ray cluster; leaving the block stops what is still running.

    Args:
        address: of the cluster, such as `auto` or `ray://head:10001`; `local` starts one on this machine.
        workers: cores of a `local` cluster; all if None.

    Raises:
        InputError: Ray is not installed, there is no cluster at `address`, or `workers` would be ignored.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed; pip install 'darla[ray]' brings it") from error
    if address != LOCAL and workers is not None:
        raise InputError(f"workers {workers} would be ignored: the Ray cluster at {address!r} has its own cores")
    try:
        if address == LOCAL:
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})") from error
    try:
        yield RayPool(ray)
    finally:
        ray.shutdown()


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], tracker: str | None) -> Any:
    report_faults()
    limit_threads(1)
    with tracking(tracker):
        return function(*args, **kwargs)

"""The processes of a Ray cluster behind the face of a process pool, for work that is spread over machines.

Every machine of the cluster must have darla installed and see the folder that is written to under the same path.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from darla.base.errors import InputError
from darla.base.threads import limit_threads
from darla.base.worker_errors import report_faults

LOCAL = "local"
"""Instead of an address: a cluster of this machine alone, for the time of the work."""


_TRIES = 3
"""Times that a function is begun again, here or elsewhere, after its worker or its machine was lost; what it raises by
itself is final."""


class RayPool(Executor):
    """Run functions on one core each, wherever the cluster has one free.

    A function must bear being begun again: its worker may be killed, or its machine switched off, in the middle of it.
    """

    def __init__(self, ray: Any) -> None:
        self._run = ray.remote(num_cpus=1, max_retries=_TRIES)(_call)
        self.processes = max(1, int(ray.cluster_resources().get("CPU", 1)))
        """Cores of the cluster."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `function` with `args` and `kwargs`, which travel to another machine."""
        future: Future[Any] = self._run.remote(function, args, kwargs).future()
        return future


@contextmanager
def ray_pool(address: str, processes: int | None = None) -> Iterator[RayPool]:
    """Open a pool on a Ray cluster; leaving the block ends what is still running.

    Args:
        address: of the cluster, such as `auto` or `ray://head:10001`; `local` starts one on this machine.
        processes: cores of a `local` cluster; all if None.

    Raises:
        InputError: Ray is not installed, there is no cluster at `address`, or `processes` would be ignored.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed; pip install 'darla[ray]' brings it") from error
    if address != LOCAL and processes is not None:
        raise InputError(f"processes {processes} would be ignored: the Ray cluster at {address!r} has its own cores")
    try:
        if address == LOCAL:
            ray.init(num_cpus=processes, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"no Ray cluster answers at {address!r} ({str(error).splitlines()[0]})") from error
    try:
        yield RayPool(ray)
    finally:
        ray.shutdown()


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    report_faults()
    limit_threads(1)
    return function(*args, **kwargs)

"""Environments in worker processes: each worker steps its share of them one after the other."""

import contextlib
import multiprocessing
import signal
import traceback
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from darla.agents.vec_env.local import Images, LocalVecEnv, environment_seeds
from darla.common import DarlaError, WorkerDiedError, limit_threads
from darla.common.jobs.spawn_checks import check_main_is_guarded, pickled_bytes
from darla.common.jobs.worker_errors import report_faults, worker_died

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

Indices = int | Iterable[int] | None

_SECONDS_TO_EXIT = 5.0


class WorkerVecEnv(VecEnv):
    """The environments of a `LocalVecEnv`, divided over processes, in the same order, with equal results.

    SB3's `SubprocVecEnv` starts one process for each environment, often more processes and rendering contexts than
    cores, and an error in one of them reaches the user as a broken pipe. Here the number of processes is an option, and
    an error keeps its own message.

    Args:
        domain: the domain of all of them; it is pickled for the workers.
        n_envs: how many environments there are.
        workers: how many processes share them, at most one for each environment.

    Raises:
        InputError: the domain cannot be pickled, or a script starts the workers outside of
            `if __name__ == "__main__":`.
    """

    def __init__(self, domain: "AnyDomain", n_envs: int, workers: int) -> None:
        check_main_is_guarded()
        pickled_bytes(domain, f"domain {domain.name!r}")
        context = _context()
        shares = np.array_split(np.arange(n_envs), min(workers, n_envs))
        self._shares = [slice(int(share[0]), int(share[-1]) + 1) for share in shares]
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._closed = False
        for share in shares:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, domain, len(share)), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        try:
            observation_space, action_space = self._receive_all()[0]
            super().__init__(n_envs, observation_space, action_space)
        except BaseException:
            self.close()
            raise

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset; None continues the environments' own generators."""
        self._seeds = [None] * self.num_envs if seed is None else environment_seeds(seed, self.num_envs)
        return self._seeds

    def draw_images(self, wanted: bool) -> None:
        """Choose whether images are drawn; see `LocalVecEnv.draw_images`."""
        for worker in range(len(self._pipes)):
            self._send(worker, "draw_images", wanted)
        self._receive_all()

    def reset(self) -> Images:
        """Reset every environment, with the seeds that were set, if any; see `LocalVecEnv.reset`."""
        for worker, share in enumerate(self._shares):
            self._send(worker, "reset", self._seeds[share], self._options[share])
        answers = self._receive_all()
        self.reset_infos = [info for _, infos in answers for info in infos]
        self._reset_seeds()
        self._reset_options()
        return np.concatenate([images for images, _ in answers])

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Send every worker the actions of its environments."""
        for worker, share in enumerate(self._shares):
            self._send(worker, "step", actions[share])

    def step_wait(self) -> VecEnvStepReturn:
        """Collect the workers' results; see `LocalVecEnv.step_wait`."""
        answers = self._receive_all()
        images, rewards, dones, infos, reset_infos = zip(*answers, strict=True)
        self.reset_infos = [info for part in reset_infos for info in part]
        return (
            np.concatenate(images),
            np.concatenate(rewards),
            np.concatenate(dones),
            [info for part in infos for info in part],
        )

    def begin_episodes(
        self, seeds: Sequence[int | None], options: Sequence[Mapping[str, Any] | None] | None = None
    ) -> tuple[Images, list[Mapping[str, Any]]]:
        """Reset each environment with a seed of its own; see `darla.agents.episodes.EpisodeEnvs`."""
        for worker, share in enumerate(self._shares):
            self._send(worker, "begin_episodes", seeds[share], None if options is None else options[share])
        images, infos = zip(*self._receive_all(), strict=True)
        return np.concatenate(images), [info for part in infos for info in part]

    def step_episodes(
        self, actions: np.ndarray[Any, Any]
    ) -> tuple[Images, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], list[Mapping[str, Any]]]:
        """Step the environments whose episodes are not over; see `darla.agents.episodes.EpisodeEnvs`."""
        for worker, share in enumerate(self._shares):
            self._send(worker, "step_episodes", actions[share])
        images, rewards, terminated, truncated, infos = zip(*self._receive_all(), strict=True)
        return (
            np.concatenate(images),
            np.concatenate(rewards),
            np.concatenate(terminated),
            np.concatenate(truncated),
            [info for part in infos for info in part],
        )

    def packages(self) -> dict[str, str]:
        """Return the versions of the packages that make the images."""
        self._send(0, "packages")
        packages: dict[str, str] = self._receive(0)
        return packages

    def close(self) -> None:
        """Close the environments and end the workers; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # that worker is gone already
                pipe.send(("close", (), {}))
            pipe.close()
        for process in self._processes:
            process.join(_SECONDS_TO_EXIT)
            if process.is_alive():
                process.kill()
                process.join()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of each environment; see SB3's `VecEnv`."""
        return self._call("get_attr", indices, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of each environment; see SB3's `VecEnv`."""
        self._call("set_attr", indices, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each environment; see SB3's `VecEnv`."""
        return self._call("env_method", indices, method_name, *method_args, **method_kwargs)

    def env_is_wrapped(
        self, wrapper_class: type["gymnasium.Wrapper[Any, Any, Any, Any]"], indices: Indices = None
    ) -> list[bool]:
        """Return for each environment whether it has such a wrapper; see SB3's `VecEnv`."""
        return self._call("env_is_wrapped", indices, wrapper_class)

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        """Return a rendering of each environment; see SB3's `VecEnv`."""
        return self._call("env_method", None, "render")

    def _call(self, method: str, indices: Indices, *args: Any, **kwargs: Any) -> list[Any]:
        """Call a method of the environments with these indices, and return the results in their order."""
        count = self._shares[-1].stop
        if indices is None:
            indices = range(count)
        selected = [indices] if isinstance(indices, int) else list(indices)
        answers: dict[int, Any] = {}
        for worker, share in enumerate(self._shares):
            local = [index for index in selected if share.start <= index < share.stop]
            if not local:
                continue
            self._send(worker, method, *args, indices=[index - share.start for index in local], **kwargs)
            values = self._receive(worker)
            answers.update(zip(local, values if values is not None else [None] * len(local), strict=True))
        return [answers[index] for index in selected]

    def _send(self, worker: int, method: str, *args: Any, **kwargs: Any) -> None:
        try:
            self._pipes[worker].send((method, args, kwargs))
        except OSError as error:
            raise self._died(worker) from error

    def _receive_all(self) -> list[Any]:
        return [self._receive(worker) for worker in range(len(self._pipes))]

    def _receive(self, worker: int) -> Any:
        try:
            failed, value = self._pipes[worker].recv()
        except (EOFError, OSError) as error:
            raise self._died(worker) from error
        if not failed:
            return value
        cause, trace = value
        if cause is not None:
            raise cause from RuntimeError(trace)
        raise RuntimeError(f"an environment failed in worker {worker}:\n{trace}")

    def _died(self, worker: int) -> WorkerDiedError:
        self._processes[worker].join(_SECONDS_TO_EXIT)
        return worker_died(f"environment worker {worker}", self._processes[worker])


def _context() -> ForkServerContext | SpawnContext:
    """Return how workers are started: not forked from this process, which may hold a rendering context.

    Where the system can, they are forked from a server that has only imported this module, so that the imports take
    their time only once.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _serve(pipe: Connection, domain: "AnyDomain", n_envs: int) -> None:
    """Run a worker: make the environments and answer requests until the parent closes them or has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    report_faults()
    limit_threads(1)
    try:
        vec = LocalVecEnv(domain, n_envs)
    except Exception as error:
        pipe.send(_failure(error))
        return
    try:
        pipe.send((False, (vec.observation_space, vec.action_space)))
        while True:
            method, args, kwargs = pipe.recv()
            if method == "close":
                break
            try:
                pipe.send((False, _answer(vec, method, args, kwargs)))
            except Exception as error:
                pipe.send(_failure(error))
    except (EOFError, OSError):
        pass  # the parent has ended
    finally:
        vec.close()


def _answer(vec: LocalVecEnv, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if method == "reset":
        vec._seeds, vec._options = args
        return vec.reset(), vec.reset_infos
    if method == "step":
        vec.step_async(args[0])
        return *vec.step_wait(), vec.reset_infos
    return getattr(vec, method)(*args, **kwargs)


def _failure(error: Exception) -> tuple[bool, tuple[DarlaError | None, str]]:
    return True, (error if isinstance(error, DarlaError) else None, traceback.format_exc())

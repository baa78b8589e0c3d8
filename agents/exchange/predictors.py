"""Agents that darla did not make: any object with a method `predict`, as Stable-Baselines3's models have."""

import hashlib
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from darla.agents.actions import Actions, count, in_words
from darla.agents.agent import Images, Infos
from darla.common import InputError, user_code_error
from darla.common.files import hash_tensors, json_sha256
from darla.common.registry import import_by_path, is_import_path


class Predicts(Protocol):
    """What an agent of one's own is, at least; SB3's models are."""

    predict: Callable[..., Any]
    """Returns an action for each image, or a pair of actions and state; see `PredictorActor`."""


@dataclass(frozen=True)
class Predictor:
    """Where an agent with `predict` comes from; it can be sent to worker processes if it is an import path."""

    source: str
    """Import path, or the class of an object."""
    digest: str
    """Of the object's weights, or of the module's file: what has changed has another one."""
    given: Any = None
    """The object; None for an import path."""

    @classmethod
    def of(cls, agent: Any) -> "Predictor":
        """Describe an import path or an object.

        Raises:
            InputError: the path names nothing that predicts, or the object does not.
        """
        if isinstance(agent, str):
            made = _made(agent)
            file = inspect.getsourcefile(inspect.getmodule(import_by_path(agent, "agent")) or type(made)) or ""
            content = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
            return cls(agent, json_sha256({"path": agent, "module": content, "weights": _weights_digest(made)}))
        source = f"{type(agent).__module__}.{type(agent).__qualname__}"
        _check(agent, source)
        return cls(source, json_sha256({"class": source, "weights": _weights_digest(agent)}), agent)

    def load(self, action_space: spaces.Space[Any] | None = None) -> "PredictorActor":
        """Return it as something that acts.

        Args:
            action_space: of the environments, to check its actions; None checks nothing but their form.
        """
        return PredictorActor(_made(self.source) if self.given is None else self.given, self.source, action_space)


def is_predictor(agent: object) -> bool:
    """Return whether something given as an agent is an object with `predict`, or the import path of one."""
    if isinstance(agent, str | Path):
        return is_import_path(str(agent)) and not Path(agent).exists()
    return callable(getattr(agent, "predict", None))


class PredictorActor:
    """Acts through `predict(observation, state=, episode_start=, deterministic=)`, or as much of that as there is.

    Args:
        agent: gets images uint8 (n, H, W, C), and returns actions (n,) or (n, A), alone or with a state.
        source: what errors call it.
        action_space: of the environments.
    """

    def __init__(self, agent: Any, source: str, action_space: spaces.Space[Any] | None = None) -> None:
        self._agent, self._source, self._space = agent, source, action_space
        self.n_actions = 0 if action_space is None else count(action_space)
        parameters = inspect.signature(agent.predict).parameters
        takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        self._takes = {name for name in ("state", "episode_start", "deterministic") if takes_all or name in parameters}
        self._state: Any = None
        self._starts = np.ones(0, dtype=bool)

    def reset(self, n: int) -> None:
        """Begin episodes in n environments at once; its state is None."""
        self._state, self._starts = None, np.ones(n, dtype=bool)

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some of the environments; it is told by `episode_start`."""
        self._starts[indices] = True

    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Choose an action for each image; its draws from the global generators are seeded from `rng`.

        Raises:
            InputError: it fails, or returns something else than an action for each image.
        """
        if len(self._starts) != len(observations):
            self.reset(len(observations))
        options = {"state": self._state, "episode_start": self._starts, "deterministic": deterministic}
        options = {name: value for name, value in options.items() if name in self._takes}
        with _seeded(int(rng.integers(2**31, size=len(observations))[0])):
            try:
                returned = self._agent.predict(observations, **options)
            except Exception as error:  # code of a user may raise anything
                raise user_code_error(f"agent {self._source} failed to predict", error) from error
        actions, self._state = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
        self._starts = np.zeros(len(observations), dtype=bool)
        return self._checked(np.asarray(actions), len(observations))

    def _checked(self, actions: Actions, n: int) -> Actions:
        space = self._space
        if actions.ndim == 2 and actions.shape[1] == 1 and not isinstance(space, spaces.Box):
            actions = actions[:, 0]
        discrete = actions.ndim == 1 and np.issubdtype(actions.dtype, np.integer)
        fits = len(actions) == n if actions.ndim else False
        if isinstance(space, spaces.Box):
            fits = fits and actions.shape == (n, count(space)) and bool(np.isfinite(actions).all())
        else:
            fits = fits and discrete
            if fits and space is not None:
                fits = bool(((actions >= 0) & (actions < count(space))).all())
        if not fits:
            if discrete and len(actions) == n and isinstance(space, spaces.Discrete):
                wrong = actions[(actions < 0) | (actions >= space.n)][0]
                raise InputError(f"agent {self._source} returned action {wrong}, but actions are 0 to {space.n - 1}")
            needed = "an action for each image" if space is None else f"{n} of {in_words(space)}"
            raise InputError(
                f"agent {self._source} returned {actions.dtype} of shape {actions.shape} for {n} images, but {needed} "
                "are needed"
            )
        return actions.astype(np.int64 if discrete else np.float32)


def _made(path: str) -> Any:
    """Return what an import path names: an object, or what a class or function without arguments makes."""
    thing = import_by_path(path, "agent")
    if not isinstance(thing, type) and callable(getattr(thing, "predict", None)):
        return thing
    if not (inspect.isfunction(thing) or isinstance(thing, type)):
        raise InputError(f"agent {path!r} cannot be used: it is {type(thing).__name__}, without a method predict")
    if isinstance(thing, type) and not callable(getattr(thing, "predict", None)):
        raise InputError(f"agent {path!r} cannot be used: the class has no method predict")
    try:
        made = thing()
    except Exception as error:  # code of a user may raise anything
        raise user_code_error(f"agent {path!r} cannot be made", error) from error
    _check(made, path)
    return made


def _check(agent: Any, source: str) -> None:
    if not callable(getattr(agent, "predict", None)):
        raise InputError(f"agent {source!r} cannot be used: {type(agent).__name__} has no method predict")


def _weights_digest(agent: Any) -> str:
    """Return the SHA-256 of the tensors of an object, or of its policy; empty where it has none."""
    module = next((each for each in (agent, getattr(agent, "policy", None)) if isinstance(each, nn.Module)), None)
    if module is None:
        return ""
    hashed = hashlib.sha256()
    hash_tensors(hashed, module.state_dict())
    return hashed.hexdigest()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and PyTorch, and put them back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)

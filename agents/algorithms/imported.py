"""Algorithm classes of one's own, named by their import path: `darla act --algorithm my_algorithms:MyPPO`.

A class derived from one of SB3's or sb3-contrib's that darla has (PPO, A2C, DQN, SAC, QR-DQN, TRPO, RecurrentPPO) acts
as that one does; any other subclass of SB3's on-policy or off-policy algorithms acts through its policy's `_predict`.
Its settings are the numbers among the arguments of its constructor, with the constructor's own defaults.
"""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, field, fields, make_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from gymnasium import spaces

from darla.agents.actions import Actions
from darla.agents.algorithms.off_policy import IMAGES_IN_REPLAY
from darla.agents.algorithms.registry import ALGORITHMS, Algorithm, Memory
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor

_GIVEN = {"policy", "env", "policy_kwargs", "seed", "device", "verbose", "tensorboard_log", "stats_window_size"}
"""Arguments that darla gives to every algorithm itself, or that have no effect."""
_LAYERS: Mapping[Observation, tuple[int, ...]] = {"latents": (64, 64), "pixels": (), "state": (256, 256)}


class ImportedSettings(AlgorithmSettings):
    """Base of the settings of an imported class; the class itself checks their values."""

    import_path: ClassVar[str] = ""
    off_policy: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made when it is needed, in every process anew.
        return _rebuild, (self.import_path, asdict(self))

    def __post_init__(self) -> None:
        if self.n_envs < 1:
            raise InputError(f"n_envs must be at least 1, not {self.n_envs}")
        if any(units < 1 for units in getattr(self, "net_arch", ())):
            raise InputError(f"net_arch must hold positive numbers of units, not {getattr(self, 'net_arch', ())!r}")

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two calls of the algorithm's `train`."""
        steps = getattr(self, "train_freq" if self.off_policy else "n_steps", 1)
        return self.n_envs * (steps if isinstance(steps, int) and steps > 0 else 1)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        return {name: value for name, value in asdict(self).items() if name not in ("n_envs", "net_arch")}


def _rebuild(path: str, values: Mapping[str, Any]) -> AlgorithmSettings:
    return ALGORITHMS[path].settings(**values)


class ByPrediction(Algorithm):
    """An algorithm of which nothing is known but that its policy can predict."""

    actions = ("discrete", "continuous")
    by_prediction = True

    def choose_actions(
        self,
        policy: "BasePolicy",
        observations: "Tensor",
        deterministic: bool,
        rng: np.random.Generator,
        exploration: float,
        memory: Memory | None = None,
    ) -> Actions:
        """Choose by the policy's own `_predict`, whose draws from PyTorch's generator are seeded from `rng`."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31, size=len(observations))[0]))
            actions = policy._predict(observations, deterministic).cpu().numpy()
        discrete = isinstance(policy.action_space, spaces.Discrete)
        return actions.reshape(-1).astype(np.int64) if discrete else actions.astype(np.float32)


@ALGORITHMS.adopter
def adopt(path: str, thing: object) -> Algorithm:
    """Make an algorithm of what an import path names.

    Args:
        path: the path, which becomes its name.
        thing: a class derived from `Algorithm`, or from one of SB3's algorithms.

    Raises:
        InputError: it is something else.
    """
    from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
    from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

    if isinstance(thing, type) and issubclass(thing, Algorithm):
        if abstract := sorted(getattr(thing, "__abstractmethods__", ())):
            raise InputError(f"algorithm {path!r} cannot be used: its class lacks {', '.join(abstract)}")
        return thing(path)
    if not (isinstance(thing, type) and issubclass(thing, OnPolicyAlgorithm | OffPolicyAlgorithm)):
        raise InputError(
            f"algorithm {path!r} cannot be used: it must be a class derived from OnPolicyAlgorithm or"
            f" OffPolicyAlgorithm of Stable-Baselines3, or from darla.agents.Algorithm, not {thing!r}"
        )
    base = _nearest(thing) or ByPrediction
    settings = _settings_class(thing)
    settings.import_path = path
    settings.off_policy = off_policy = issubclass(thing, OffPolicyAlgorithm)

    made = type(
        thing.__name__,
        (Imported, base),
        {
            "imported": thing,
            "settings": settings,
            "presets": {observation: _preset(settings, observation) for observation in _LAYERS},
            "log_interval_is_in_episodes": off_policy,
            "__doc__": inspect.getdoc(thing),
        },
    )
    return cast(Algorithm, made(path))


class Imported(Algorithm):
    """What an imported class has in common with no other: it is made from its constructor, whatever that does."""

    imported: ClassVar[Any]
    has_bfloat16_pixels = False

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Return the class."""
        return cast("type[BaseAlgorithm]", self.imported)

    def preset(self, observation: Observation, *, fine_tune: bool = False) -> AlgorithmSettings:
        """Return the constructor's own defaults, with a replay buffer that holds images only as far as they fit."""
        chosen = self.presets["latents" if fine_tune else observation]
        if fine_tune and hasattr(chosen, "buffer_size"):
            fitting = min(chosen.buffer_size, IMAGES_IN_REPLAY)
            return replace(chosen, buffer_size=fitting)  # type: ignore[call-arg]
        return chosen

    def architecture(self, settings: AlgorithmSettings) -> dict[str, Any]:
        """Return that of the base, and the arguments of the constructor, which may change the policy's own."""
        return {**super().architecture(settings), "arguments": settings.arguments()}

    def check_architecture(self, architecture: Mapping[str, Any], inputs: int, n_actions: int) -> None:
        """Check what was read from a file; see `Algorithm.check_architecture`."""
        arguments = architecture.get("arguments")
        own = {each.name for each in fields(self.settings)}
        if not isinstance(arguments, dict) or not own.issuperset(arguments):
            raise InputError(f"arguments of {self.name!r} must be an object with some of {', '.join(sorted(own))}")
        self.settings(**arguments)  # checks their types
        rest = {name: value for name, value in architecture.items() if name != "arguments"}
        super().check_architecture(rest, inputs, n_actions)

    def policy_arguments(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `policy_kwargs` that the constructor is given."""
        return super().policy_arguments({name: value for name, value in architecture.items() if name != "arguments"})

    def policy_class(
        self, shape: tuple[int, ...], architecture: Mapping[str, Any], extractor: Mapping[str, Any]
    ) -> tuple[type[Any], dict[str, Any]]:
        """Return what the constructor makes of its arguments; nothing else is set up."""
        model = self.imported(
            policy=self.policy_name(shape),
            env=None,
            policy_kwargs={**self.policy_arguments(architecture), **extractor},
            device="cpu",
            _init_setup_model=False,
            **architecture["arguments"],
        )
        on_policy = {} if self.log_interval_is_in_episodes else {"use_sde": model.use_sde}
        return model.policy_class, {**on_policy, **model.policy_kwargs}


def _nearest(kind: type) -> type[Algorithm] | None:
    """Return darla's algorithm of the nearest base class that it has one for."""
    ours: dict[type, type[Algorithm]] = {}
    for name in ALGORITHMS.own():
        try:
            ours[ALGORITHMS[name].sb3_class()] = type(ALGORITHMS[name])
        except InputError:
            continue  # of a package that is not installed
    return next((ours[base] for base in kind.__mro__ if base in ours), None)


def _settings_class(kind: type) -> type[ImportedSettings]:
    """Return a dataclass of the plain arguments of a class's constructor, and of those that it hands to its bases."""
    arguments: dict[str, tuple[type, Any]] = {}
    for base in kind.__mro__:
        if "__init__" not in base.__dict__ or base is object:
            continue
        parameters = inspect.signature(base.__dict__["__init__"]).parameters.values()
        for each in parameters:
            default = each.default
            if each.name in _GIVEN or each.name.startswith("_") or not isinstance(default, bool | int | float | str):
                continue
            as_float = not isinstance(default, bool | str) and "float" in str(each.annotation)
            arguments.setdefault(each.name, (float, float(default)) if as_float else (type(default), default))
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break
    for name in ("n_envs", "net_arch"):
        arguments.pop(name, None)
    own: list[Any] = [(name, kind_, field(default=default)) for name, (kind_, default) in arguments.items()]
    own.append(("net_arch", tuple[int, ...], field(default=(64, 64))))
    made = make_dataclass(f"{kind.__name__}Settings", own, bases=(ImportedSettings,), frozen=True)
    made.__doc__ = f"Arguments of {kind.__name__}, with its own defaults."
    return cast(type[ImportedSettings], made)


def _preset(settings: type[ImportedSettings], observation: Observation) -> ImportedSettings:
    changes: dict[str, Any] = {"net_arch": _LAYERS[observation]}
    default = settings()
    if observation == "pixels" and hasattr(default, "buffer_size"):
        changes["buffer_size"] = min(default.buffer_size, IMAGES_IN_REPLAY)
    return settings(**changes)

"""From a domain to a running environment."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from darla.base import InputError
from darla.base.llvm_order import load_triton_first
from darla.envs.domains import AnyDomain, EnvDomain
from darla.envs.registration import register


class Variants(gymnasium.Env[Any, Any]):
    """Several variants of one environment behind one face: the seed of an episode decides which is played."""

    def __init__(self, domain: EnvDomain, **kwargs: Any) -> None:
        self._domain, self._kwargs = domain, kwargs
        self._made: dict[int, gymnasium.Env[Any, Any]] = {}
        self._now = self._variant(0)
        self.observation_space, self.action_space = self._now.observation_space, self._now.action_space
        self.render_mode = self._now.render_mode
        self.metadata = self._now.metadata

    def _variant(self, index: int) -> gymnasium.Env[Any, Any]:
        if index not in self._made:
            made = _gym_make(self._domain.env_id, {**self._domain.variants[index], **self._kwargs})
            if self._made and (made.observation_space, made.action_space) != (
                self.observation_space,
                self.action_space,
            ):
                raise InputError(f"the variants of domain {self._domain.name!r} differ in observation or action space")
            self._made[index] = made
        return self._made[index]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draw the variant, then reset it with a seed drawn after that."""
        super().reset(seed=seed)
        index = int(self.np_random.integers(len(self._domain.variants)))
        inner = int(self.np_random.integers(np.iinfo(np.int32).max))
        self._now = self._variant(index)
        observation, info = self._now.reset(seed=inner, options=options)
        return observation, {**info, "context": _context(self._domain, index)}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the variant that is being played."""
        return self._now.step(action)

    @property
    def starts_anywhere(self) -> bool:
        """Whether episodes start anywhere where `reset(options={"start": "anywhere"})` asks for it."""
        return bool(getattr(self._now.unwrapped, "starts_anywhere", False))

    def render(self) -> Any:
        """Render the variant that is being played."""
        return self._now.render()

    def close(self) -> None:
        """Close every variant that was opened."""
        for made in self._made.values():
            made.close()


def _context(domain: EnvDomain, index: int) -> dict[str, Any]:
    return {"env_id": domain.env_id, **domain.variants[index]}


def _gym_make(env_id: str, kwargs: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    register()
    load_triton_first()  # any environment may open a renderer: a MiniWorld of the user's own, for one
    try:
        return gymnasium.make(env_id, **kwargs)
    except gymnasium.error.Error as error:
        raise InputError(f"environment {env_id!r} cannot be made: {str(error).splitlines()[0]}") from error
    except TypeError as error:
        raise InputError(f"environment {env_id!r} does not take {dict(kwargs)!r}: {error}") from error


def make(domain: AnyDomain, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Make the environment of a domain.

    Args:
        domain: a SeekAvoid domain, or any environment's.
        **kwargs: passed on to the environment.

    Raises:
        InputError: Gymnasium does not know the environment, it refuses the arguments, or it does not show images of
            uint8 (height, width, channels).
    """
    if isinstance(domain, EnvDomain):
        env: gymnasium.Env[Any, Any] = Variants(domain, **kwargs)
    else:
        env = _gym_make("darla/SeekAvoid-v0", {"domain": domain, **kwargs})
    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        env.close()
        raise InputError(
            f"domain {domain.name!r} shows {space}, but images are needed: uint8, height x width x channels"
        )
    return env

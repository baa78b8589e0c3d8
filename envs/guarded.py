"""The border to an environment that is not ours: its faults are named as its own, and what it returns is checked.

NumPy would take an image of another shape by broadcasting it and floats in [0, 1] by rounding them to black, and a step
of the wrong length would fail somewhere in Stable-Baselines3. Here each is one sentence that names the environment.
"""

import math
import re
import traceback
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from darla.common import DarlaError, InputError, user_code_error
from darla.common.errors import is_fault_of_user

_RETURNS = {"reset": "(observation, info)", "step": "(observation, reward, terminated, truncated, info)"}
_TAKES = {"reset": "self, *, seed=None, options=None", "step": "self, action"}
_OTHER_ARGUMENTS = re.compile(r"\b(reset|step)\(\) (got an unexpected keyword|got some positional|takes|missing) ")
_UNPACKED = re.compile(r"not enough values to unpack \(expected \d, got (\d)\)")


class GuardedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose errors become a `UserCodeError`, and whose images and rewards are checked at every step.

    Errors of darla's own environments stay what they are.

    Args:
        env: shows images.
        name: what messages call it.

    Raises:
        InputError: it has no observation or action space of Gymnasium.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str) -> None:
        for space_name in ("observation_space", "action_space"):
            space = getattr(env, space_name, None)
            if not isinstance(space, gymnasium.Space):
                shown = "is missing" if space is None else f"is a {type(space).__module__}.{type(space).__name__}"
                raise InputError(f"the {space_name} of {name} {shown}, but one of gymnasium.spaces is needed")
        super().__init__(env)
        self._name = name
        self._ours = type(env.unwrapped).__module__.split(".")[0] == "darla"
        space = env.observation_space
        self._image_shape = space.shape if isinstance(space, gymnasium.spaces.Box) and space.dtype == np.uint8 else None

    @property
    def starts_anywhere(self) -> bool:
        """Whether episodes start anywhere where `reset(options={"start": "anywhere"})` asks for it."""
        return bool(getattr(self.env, "starts_anywhere", False))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, and check what it returns.

        Raises:
            InputError: it failed, or it returned something else than an image and an info.
        """
        answer = self._call("reset", self.env.reset, seed=seed, options=options)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise self._wrong("reset", answer)
        image, info = answer
        self._check_image(image, "reset")
        self._check_info(info, "reset")
        return image, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the environment, and check what it returns.

        Raises:
            InputError: it failed, or it returned something else than an image, a finite reward, two flags and an info.
        """
        answer = self._call("step", self.env.step, action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            raise self._wrong("step", answer)
        image, reward, terminated, truncated, info = answer
        self._check_image(image, "step")
        self._check_info(info, "step")
        try:
            number = float(reward)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{self._name} returned the reward {reward!r}, but a finite number is needed")
        return image, number, self._flag("terminated", terminated), self._flag("truncated", truncated), info

    def _call(self, verb: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except DarlaError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, TypeError) and not self._ours and _refuses_arguments(error):
                raise InputError(f"{self._name}: {error}, but Gymnasium's is {verb}({_TAKES[verb]})") from error
            # A bug of ours must not be blamed on the user.
            if not is_fault_of_user(error, in_ours=self._ours):
                raise
            if isinstance(error, ValueError) and (match := _UNPACKED.search(str(error))):
                # One of Gymnasium's own wrappers took apart what the environment returned.
                raise self._wrong(verb, (None,) * int(match[1])) from error
            raise user_code_error(f"{self._name} failed at {verb}", error) from error

    def _check_image(self, image: Any, verb: str) -> None:
        shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
        if self._image_shape is not None and (shape != self._image_shape or dtype != np.uint8):
            shown = f"{dtype} {shape}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
            raise InputError(
                f"{self._name} returned {shown} from {verb}, but its observation space is uint8 {self._image_shape}"
            )

    def _flag(self, which: str, value: Any) -> bool:
        if not isinstance(value, bool | np.bool_) and not (isinstance(value, int | np.integer) and value in (0, 1)):
            raise InputError(f"{self._name} returned {which} = {value!r} from step, but True or False is needed")
        return bool(value)

    def _check_info(self, info: Any, verb: str) -> None:
        if not isinstance(info, dict):
            raise InputError(f"{self._name} returned the info {info!r} from {verb}, but a dictionary is needed")

    def _wrong(self, verb: str, answer: Any) -> InputError:
        parts = f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
        return InputError(f"{self._name} returned {parts} from {verb}, but Gymnasium's {verb} returns {_RETURNS[verb]}")


def _refuses_arguments(error: TypeError) -> bool:
    """Return whether a call failed since a method of the environment, or one in its wrappers, takes other arguments."""
    return bool(_OTHER_ARGUMENTS.search(str(error))) and all(
        str(frame.f_globals.get("__name__", "")).split(".")[0] in ("darla", "gymnasium")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )

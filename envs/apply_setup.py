"""Apply what a domain says is done to its environments: wrappers, frame skip, image, frame stack, reset options."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.wrappers import FrameStackObservation, TransformObservation

from darla.common import DarlaError, InputError, unknown_name, user_code_error
from darla.common.registry import import_by_path
from darla.envs.domains.env_setup import EnvSetup
from darla.envs.guarded import GuardedEnv
from darla.envs.image_size import fit_image, grayscale

AnyEnv = gymnasium.Env[Any, Any]
_SPECIAL = ("tuple", "array", "import")
_NUMBERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
"""Types of arrays."""


def live(value: Any, folder: str) -> Any:
    """Return plain data with what JSON cannot write: tuples, arrays, and things that modules define.

    Args:
        value: as `EnvDomain` holds it.
        folder: where modules are searched first.

    Raises:
        InputError: a tuple that is no list, numbers that are no array of that type, or an import that fails.
    """
    if isinstance(value, Mapping):
        if value.keys() == {"array", "dtype"}:
            return _array(value["array"], value["dtype"])
        if len(value) == 1 and (key := next(iter(value))) in _SPECIAL:
            inside = value[key]
            if key == "tuple" and isinstance(inside, list):
                return tuple(live(part, folder) for part in inside)
            if key == "import" and isinstance(inside, str):
                return import_by_path(inside, "argument", folder)
            raise InputError(
                f'{dict(value)!r} cannot be used: write {{"tuple": [...]}}, {{"array": [...], "dtype": "uint8"}} or '
                '{"import": "module:name"}'
            )
        return {key: live(part, folder) for key, part in value.items()}
    return [live(part, folder) for part in value] if isinstance(value, list) else value


def _array(numbers: Any, dtype: Any) -> npt.NDArray[Any]:
    """Return numbers as an array of a type that holds them exactly, but for the rounding of floats."""
    if dtype not in _NUMBERS:
        raise unknown_name("dtype of an array:", str(dtype), _NUMBERS)
    try:
        given = np.asarray(numbers)
        array = given.astype(dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{numbers!r} is no array of numbers: {error}") from error
    if given.dtype.kind not in "biuf" or (array.dtype.kind != "f" and not np.array_equal(given, array)):
        raise InputError(f"{numbers!r} cannot be an array of {dtype}")
    return array


class FrameSkip(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeat each action; the rewards are added, and the last image is shown.

    Args:
        env: what is stepped.
        steps: environment steps of an action.
    """

    def __init__(self, env: AnyEnv, steps: int) -> None:
        super().__init__(env)
        self._steps = steps

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Repeat an action until the episode ends, at most as often as was asked for."""
        total = 0.0
        for _ in range(self._steps):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


class ResetOptions(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Give every reset some options; those of the caller come on top.

    Args:
        env: what is reset.
        options: of every reset.
    """

    def __init__(self, env: AnyEnv, options: Mapping[str, Any]) -> None:
        super().__init__(env)
        self._options = dict(options)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset with the options."""
        return self.env.reset(seed=seed, options={**self._options, **(options or {})})


def apply_setup(env: AnyEnv, setup: EnvSetup, folder: str, who: str) -> AnyEnv:
    """Return an environment with everything that a setup says.

    Args:
        env: as Gymnasium made it.
        setup: what is done to it.
        folder: where the modules of wrappers are searched first.
        who: the environment, as errors name it.

    Raises:
        InputError: a wrapper cannot be imported or made, or the images are not as the setup needs them.
    """
    if setup.reset_options:
        env = ResetOptions(env, live(setup.reset_options, folder))
    for wrapping in setup.wrappers:
        wrap = import_by_path(wrapping["wrapper"], "wrapper", folder)
        arguments = live(wrapping.get("arguments", {}), folder)
        try:
            wrapped = wrap(env, **arguments)
        except DarlaError:
            raise
        except Exception as error:  # code of the user may raise anything
            raise user_code_error(f"wrapper {wrapping['wrapper']!r} of {who} could not be made", error) from error
        if not isinstance(wrapped, gymnasium.Env):
            raise InputError(
                f"wrapper {wrapping['wrapper']!r} returned a {type(wrapped).__name__} for {who}, but an environment of "
                "Gymnasium is needed"
            )
        env = GuardedEnv(wrapped, f"{who} in wrapper {wrapping['wrapper']!r}")
    if setup.frame_skip > 1:
        env = FrameSkip(env, setup.frame_skip)
    env = _with_images(env, setup, who)
    if setup.frame_stack > 1:
        env = _stacked(env, setup.frame_stack)
    return env


def _with_images(env: AnyEnv, setup: EnvSetup, who: str) -> AnyEnv:
    """Choose the image among what is observed, and bring it into its form: (height, width, channels), color, size."""
    space = env.observation_space
    path = setup.observation_key.split("/") if setup.observation_key else []
    for key in path:
        if not isinstance(space, spaces.Dict):
            raise InputError(f"observation_key {setup.observation_key!r} cannot be used: {who} observes {space}")
        if key not in space.spaces:
            raise unknown_name(f"observation_key of {who}:", key, space.spaces)
        space = space[key]
    if isinstance(space, spaces.Dict):
        raise InputError(
            f'{who} observes a dictionary; name the entry that is the image: "observation_key", one of '
            f"{', '.join(map(repr, space.spaces))}"
        )
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3):
        if path or setup.channels_first or setup.grayscale or setup.resize is not None:
            raise InputError(f"{who} observes {space}, but images are needed: uint8, height x width x channels")
        return env  # `make` refuses it
    flat = len(space.shape) == 2
    if not (path or flat or setup.channels_first or setup.grayscale or setup.resize is not None):
        return env

    def choose(observation: Any) -> npt.NDArray[np.uint8]:
        for key in path:
            observation = observation[key]
        image = np.asarray(observation)
        if image.dtype != np.uint8 or image.shape != space.shape:
            raise InputError(f"{who} showed {image.dtype} {image.shape}, but its observation space is {space}")
        if flat:
            image = image[:, :, None]
        if setup.channels_first:
            image = image.transpose(1, 2, 0)
        if setup.grayscale:
            image = grayscale(image)
        if setup.resize is not None:
            image = fit_image(image, setup.resize, setup.fit)
        return np.ascontiguousarray(image)

    shape = (*space.shape, 1) if flat else space.shape
    if setup.channels_first:
        shape = (shape[1], shape[2], shape[0])
    if setup.grayscale and shape[2] not in (3, 4):
        raise InputError(f"grayscale is for images of 3 or 4 channels, and those of {who} have {shape[2]}")
    # Found by trying: a size that cannot be cropped is refused here.
    sample = np.zeros(space.shape, np.uint8)
    for key in reversed(path):
        sample = {key: sample}  # type: ignore[assignment]
    shown = spaces.Box(0, 255, choose(sample).shape, np.uint8)
    return TransformObservation(env, choose, shown)


def _stacked(env: AnyEnv, count: int) -> AnyEnv:
    """Show the last `count` images as one, along the channels."""
    space = env.observation_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 3:
        return env  # `make` refuses it
    height, width, channels = space.shape
    shown = spaces.Box(0, 255, (height, width, count * channels), np.uint8)

    def side_by_side(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.ascontiguousarray(images.transpose(1, 2, 0, 3).reshape(height, width, count * channels))

    return TransformObservation(FrameStackObservation(env, count, padding_type="reset"), side_by_side, shown)

"""A user's environment in many forms, and wrappers of it; worker processes and the command line import it."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

HEIGHT, WIDTH = 24, 32


class Stripes(gymnasium.Env[Any, Any]):
    """A bright column on a colored ground; actions move it left or right, and an episode ends after `length` steps."""

    def __init__(
        self,
        hue: int = 40,
        side: tuple[int, int] = (HEIGHT, WIDTH),
        form: str = "image",
        actions: Any = 3,
        length: int = 9,
        start_at: str = "anywhere",
        marker: Any = None,
        faults: str = "",
    ) -> None:
        assert isinstance(side, tuple), side
        self.hue, self.side, self.form, self.length, self.marker, self.faults = hue, side, form, length, marker, faults
        self.start_at = start_at
        if faults == "make":
            raise RuntimeError("no light")
        shape = {"first": (3, *side), "flat": side, "gray": (*side, 1), "rgba": (*side, 4)}.get(form, (*side, 3))
        image = spaces.Box(0, 255, shape, np.uint8)
        if form in ("dict", "deep"):
            image = spaces.Dict({"view": image, "speed": spaces.Discrete(4)})  # type: ignore[assignment]
        if form == "deep":
            image = spaces.Dict({"eyes": image})  # type: ignore[assignment]
        if form == "float":
            image = spaces.Box(0.0, 1.0, shape, np.float32)  # type: ignore[assignment]
        if form == "vector":
            image = spaces.Box(-1.0, 1.0, (4,), np.float32)  # type: ignore[assignment]
        self.observation_space: Any = image
        self.action_space = spaces.Discrete(actions) if isinstance(actions, int) else actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Put the column anywhere, or where the options say."""
        super().reset(seed=None if self.faults == "seed" and seed is not None else seed)
        if self.faults == "reset":
            raise KeyError("map")
        random = np.random.default_rng() if self.faults == "seed" else self.np_random
        self.column = int(random.integers(self.side[1]))
        if (options or {}).get("column") is not None:
            self.column = options["column"]
        self.time = 0
        observation = self._observation()
        return observation if self.faults == "old reset" else (observation, {"column": self.column})

    def step(self, action: Any) -> Any:
        """Move."""
        if self.faults == "step":
            return self.nothing[action]  # type: ignore[attr-defined]
        self.time += 1
        move = (
            int(np.ravel(action)[0]) - 1 if self.faults != "noisy steps" else int(np.random.default_rng().integers(9))
        )
        self.column = (self.column + move) % self.side[1]
        over = self.time >= self.length
        if self.faults == "old step":
            return self._observation(), 1.0, over, {}
        reward = float("nan") if self.faults == "nan reward" else float(self.column > self.side[1] // 2)
        return self._observation(), reward, over, False, {}

    def _observation(self) -> Any:
        image = np.full((*self.side, 3), (self.hue, 90, 130), np.uint8)
        image[:, self.column] = 250
        if self.faults == "zero one":
            image = (image > 200).astype(np.uint8)
        if self.faults == "floats shown":
            return image / 255.0
        if self.faults == "other size":
            return image[:-1]
        if self.form == "first":
            return image.transpose(2, 0, 1)
        if self.form in ("flat", "gray"):
            return image[:, :, 0] if self.form == "flat" else image[:, :, :1]
        if self.form == "rgba":
            return np.concatenate([image, np.full_like(image[:, :, :1], 255)], axis=2)
        if self.form in ("dict", "deep"):
            shown = {"view": image, "speed": 1}
            return {"eyes": shown} if self.form == "deep" else shown
        if self.form == "float":
            return (image / 255).astype(np.float32)
        return np.zeros(4, np.float32) if self.form == "vector" else image


class Invert(gymnasium.ObservationWrapper):  # type: ignore[type-arg]
    """Show the negative, less a shade."""

    def __init__(self, env: Any, shade: int = 0) -> None:
        super().__init__(env)
        self.shade = shade

    def observation(self, observation: Any) -> Any:
        """Return the negative."""
        return 255 - np.minimum(observation, 255 - self.shade) - np.uint8(self.shade)


class Turn(gymnasium.Wrapper):  # type: ignore[type-arg]
    """Begin an episode some columns further; what is observed may be of any form."""

    def __init__(self, env: Any, columns: int = 1) -> None:
        super().__init__(env)
        self.columns = columns

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Reset, with the column moved."""
        options = {**(options or {}), "column": ((options or {}).get("column") or 0) + self.columns}
        return self.env.reset(seed=seed, options=options)


def forgetful(env: Any) -> Any:
    """Forget to return the environment."""


MARKER = object()
gymnasium.register("darla-test/Stripes-v0", Stripes, disable_env_checker=True)

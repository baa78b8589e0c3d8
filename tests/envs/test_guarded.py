"""An environment that is not ours: its faults are named as its own, and what it returns is checked at every step."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from darla.common import InputError, UserCodeError
from darla.envs import EnvDomain, make

ID = "darla-test/Faulty-v0"
IMAGE = np.zeros((8, 8, 3), np.uint8)
STEPS: dict[str, Any] = {
    "four": (IMAGE, 0.0, False, {}),
    "floats": (IMAGE / 255, 0.0, False, False, {}),
    "smaller": (IMAGE[:4], 0.0, False, False, {}),
    "a list": (IMAGE.tolist(), 0.0, False, False, {}),
    "nan": (IMAGE, float("nan"), False, False, {}),
    "no reward": (IMAGE, None, False, False, {}),
    "no info": (IMAGE, 0.0, False, False, None),
}


class Faulty(gymnasium.Env[np.ndarray, int]):
    """Returns what it is told to."""

    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, step: str = "", reset: str = "", init: str = "") -> None:
        self._step, self._reset = step, reset
        if init:
            raise OSError(init)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if self._reset == "raises":
            raise KeyError("lost")
        return IMAGE if self._reset == "alone" else (IMAGE, {})

    def step(self, action: int) -> Any:
        if self._step == "exits":
            raise SystemExit(3)
        return STEPS.get(self._step, (IMAGE, 1, False, False, {}))


gymnasium.register(ID, entry_point=Faulty, disable_env_checker=True)


def play(**variant: str) -> tuple[Any, ...]:
    env = make(EnvDomain("faults", ID, (variant,)))
    env.reset(seed=0)
    return env.step(0)


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        ({"step": "four"}, "returned 4 values from step, but Gymnasium's step returns"),
        ({"step": "floats"}, r"returned float64 \(8, 8, 3\) from step, but its observation space is uint8 \(8, 8, 3\)"),
        ({"step": "smaller"}, r"returned uint8 \(4, 8, 3\) from step"),
        ({"step": "a list"}, "returned a list from step"),
        ({"step": "nan"}, "returned the reward nan, but a finite number is needed"),
        ({"step": "no reward"}, "returned the reward None"),
        ({"step": "no info"}, "returned the info None from step"),
        ({"reset": "alone"}, r"returned a ndarray from reset, but Gymnasium's reset returns \(observation, info\)"),
        ({"color": "red"}, r"does not take \{'color': 'red'\}: .*unexpected keyword argument 'color'"),
    ],
)
def test_what_an_environment_must_not_return_is_one_sentence(variant: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        play(**variant)
    assert ID in str(caught.value)
    assert not isinstance(caught.value, UserCodeError)


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        ({"reset": "raises"}, r"failed at reset: KeyError: 'lost' \(.*test_guarded.py, line \d+, in reset\)"),
        ({"step": "exits"}, r"failed at step: SystemExit: 3 \(.*test_guarded.py, line \d+, in step\)"),
        ({"init": "no file"}, r"could not be made: OSError: no file \(.*test_guarded.py, line \d+, in __init__\)"),
    ],
)
def test_an_error_of_an_environment_is_its_own_with_its_line(variant: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserCodeError, match=sentence) as caught:
        play(**variant)
    assert caught.value.__cause__ is not None


def test_a_bug_of_ours_is_not_blamed_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    from darla.envs.grid_world import env as grid_world

    # A line of darla's own package fails.
    env = make(EnvDomain("ours", "darla/GridWorld-v0"))
    monkeypatch.delattr(grid_world, "np")
    with pytest.raises(NameError):
        env.reset(seed=0)


def test_rewards_become_plain_numbers_and_flags_plain_flags() -> None:
    _, reward, terminated, truncated, _ = play()
    assert (reward, terminated, truncated) == (1.0, False, False)
    assert type(reward) is float


@pytest.mark.parametrize(
    ("module", "text", "sentence"),
    [
        ("with_a_slip", "def f(:\n", r"cannot be imported: SyntaxError: .* \(.*with_a_slip.py, line 1\)"),
        ("needs_other", "import not_there\n", r"ModuleNotFoundError: .*'not_there' \(.*needs_other.py, line 1\)"),
        ("divides", "\n1 / 0\n", r"cannot be imported: ZeroDivisionError: .* \(.*divides.py, line 2\)"),
        (None, "", "cannot be imported: there is no module 'nowhere_to_be_seen'; give the command in the folder"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(module, text, sentence, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(tmp_path)
    if module:
        (tmp_path / f"{module}.py").write_text(text)
    with pytest.raises(InputError, match=sentence):
        make(EnvDomain("d", f"{module or 'nowhere_to_be_seen'}:Any-v0"))

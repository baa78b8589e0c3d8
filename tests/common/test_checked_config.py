"""Configurations name a value of the wrong type when they are made, whoever makes them."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import pytest

from darla.agents import ActConfig, PPOSettings
from darla.common import InputError
from darla.common.checked_config import CheckedConfig
from darla.envs.frames.collect import CollectConfig
from darla.evaluation.transfer_config import TransferConfig
from darla.vision import MODELS, SeeConfig, TrainingConfig
from darla.vision.metrics.config import MetricsConfig


@dataclass(frozen=True)
class Base(CheckedConfig):
    steps: int = 3
    rate: float = 0.5
    clip: float | None = None
    names: tuple[str, ...] = ()
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        assert self.steps >= 0  # never sees another type


@dataclass(frozen=True)
class Plain(Base):
    more: str = ""


@dataclass(frozen=True)
class Own(Base):
    more: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.more in (True, False)


@pytest.mark.parametrize("kind", [Base, Plain, Own])
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("steps", "3", "steps is '3', but must be a whole number"),
        ("steps", 2.5, "steps is 2.5, but must be a whole number"),
        ("steps", None, "steps is None"),
        ("steps", True, "steps is True"),
        ("rate", "x", "rate is 'x', but must be a number"),
        ("clip", [], "clip is .*, but must be a number or None"),
        ("names", "abc", "names is 'abc', but must be a tuple of text"),
        ("names", (1,), "names is .*, but must be a tuple of text"),
        ("kind", 3, "kind is 3, but must be one of 'a', 'b'"),
        ("rate", "x" * 500, r"\.\.\., but must be a number"),
        ("steps", 2**63, "steps is 9223372036854775808, but must be at most 9223372036854775807 in size"),
        ("steps", -(2**63), "steps is -9223372036854775808, but must be at most"),
    ],
)
def test_a_value_of_another_type_is_named(kind: type, field: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        kind(**{field: value})


def test_lists_and_numbers_of_numpy_become_plain() -> None:
    made = Own(steps=np.int64(4), rate=np.float32(0.5), names=["x", "y"])  # type: ignore[arg-type]
    assert made == Own(steps=4, rate=0.5, names=("x", "y"))
    assert type(made.steps) is int
    assert Base(rate=1).rate == 1


CONFIGS = [
    SeeConfig(),
    TrainingConfig(),
    CollectConfig(),
    ActConfig(),
    PPOSettings(),
    TransferConfig(),
    MetricsConfig(),
]
CONFIGS += [model.Config() for model in MODELS.values()]
WRONG = [object(), b"x", {"a"}, {1: 2}, [object()], ("x", object()), 1j, print, type, ..., np.zeros(3)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_every_field_of_every_configuration_is_checked(config: Any) -> None:
    for field in fields(config):
        for value in WRONG:
            with pytest.raises(InputError):
                replace(config, **{field.name: value})

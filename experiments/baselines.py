"""The methods that a study of transfer can name: DARLA, and the baselines it is compared with.

Each is a configuration of `darla see` and `darla act`. docs/baselines.md has what each method is, its source, and what
information it gets that others do not. `with_algorithm` trains any of them with another algorithm.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from darla.agents import ActConfig
from darla.common import unknown_name
from darla.evaluation.score_types import algorithm_label
from darla.experiments.study import Method
from darla.vision.presets import ENCODERS

_FINE_TUNED = ActConfig(fine_tune=True)
_ON_TARGETS = ActConfig(train_domain="targets")

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "darla": Method("DARLA", ENCODERS["darla"]),
        # Without an encoder.
        "end-to-end": Method("end to end"),
        "randomized": Method("end to end, domain randomization", None, ActConfig(train_domain="unlabeled")),
        "shift": Method("end to end, random shift", None, ActConfig(augment=("shift",))),
        "hue": Method("end to end, other hues", None, ActConfig(augment=("hue",))),
        "convolution": Method("end to end, random convolution", None, ActConfig(augment=("convolution",))),
        # Other encoders, frozen.
        "random-encoder": Method("random encoder", ENCODERS["random"]),
        "autoencoder": Method("autoencoder", ENCODERS["autoencoder"]),
        "darla-dae": Method("DAE features", ENCODERS["dae-features"]),
        "darla-ent": Method("β-VAE, β = 1", ENCODERS["beta-1"]),
        "pixel-loss": Method("β-VAE, β = 4", ENCODERS["beta-4"]),
        # DARLA's encoder, not frozen.
        "darla-ft": Method("DARLA, fine-tuned", ENCODERS["darla"], _FINE_TUNED),
        # Upper bounds: of any representation, and of any transfer.
        "ground-truth": Method("ground truth", None, ActConfig(observation="state")),
        "end-to-end-on-target": Method("end to end, on the targets", None, _ON_TARGETS),
        "darla-on-target": Method("DARLA, on the targets", ENCODERS["darla"], _ON_TARGETS),
    }
)
"""By the name that a study uses for it; `Method.name` is what tables call it."""


def named_method(name: str, algorithm: str | None = None) -> Method:
    """Return a method by name.

    Args:
        name: in `METHODS`.
        algorithm: the RL algorithm that trains its policy, `ppo` if None; see `with_algorithm`.

    Raises:
        InputError: there is none of that name, or the algorithm cannot train it.
    """
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name] if algorithm is None else with_algorithm(METHODS[name], algorithm)


def with_algorithm(method: Method, algorithm: str) -> Method:
    """Return a method whose policy is trained by another algorithm, which its name then states, unless it is PPO.

    Raises:
        InputError: there is no such algorithm, or it cannot train this method.
    """
    act = replace(method.act, algorithm=algorithm, settings=None)
    name = method.name if algorithm == "ppo" else f"{method.name} ({algorithm_label(algorithm)})"
    return replace(method, name=name, act=act)

"""The configuration of an encoder that is a network of one's own, or of timm, used as it is."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darla.common.checked_config import checked_arguments
from darla.vision.encoders.config import SeeConfig
from darla.vision.models.frozen_network import FrozenNetworkConfig, keep_object

if TYPE_CHECKING:
    from torch import nn


@checked_arguments
def frozen(
    network: "str | nn.Module",
    *,
    arguments: Mapping[str, Any] | None = None,
    weights: str | Path = "",
    size: tuple[int, int] | None = None,
    order: str = "",
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    interpolation: str = "bilinear",
) -> SeeConfig:
    """Return how a network becomes a frozen encoder, for `darla.see`; nothing is trained.

    Args:
        network: `package.module:name` of a function, class or module; `timm:NAME`; or a `torch.nn.Module` itself, of
            which a copy is kept in this process. Its output is the code, (N, D), or a pair of mean and log-variance.
        arguments: of the function or class, or of `timm.create_model`.
        weights: file of its state dict, or `pretrained` for timm's own; those that it has if empty.
        size: height and width that images are resized to; timm's own, or as they are, if None.
        order: `rgb`, `bgr`, `gray` or `as_is`; `rgb` for timm and `as_is` for others if empty.
        mean: subtracted from each channel of images in [0, 1]; timm's own, or 0, if empty.
        std: what channels are divided by after that; timm's own, or 1, if empty.
        interpolation: `bilinear`, `bicubic` or `nearest`.

    Raises:
        InputError: a value that cannot be used, or an object that is no module.
    """
    config = FrozenNetworkConfig(
        source=network if isinstance(network, str) else keep_object(network),
        arguments=json.dumps(dict(arguments or {}), sort_keys=True),
        weights=str(weights),
        size=size,
        order=order,
        mean=mean,
        std=std,
        interpolation=interpolation,
    )
    plain = SeeConfig()
    return replace(plain, model="frozen_network", vae=config, training=replace(plain.training, steps=0))

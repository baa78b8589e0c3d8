"""Fine-tuning: the encoder is trained together with the policy (DARLA_FT in the paper).

Higgins et al. 2017 (https://arxiv.org/abs/1707.08475) compare DARLA with an agent whose encoder continues to learn from
rewards in the source domain. Here the encoder is copied into the policy as its features extractor. The encoder's
artefact is read and never written.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from darla.common import Artefact, InputError

if TYPE_CHECKING:
    from darla.vision import VisionModel

_NETWORK_FIELDS = ("model", "vae", "dae")
"""Fields of an encoder's configuration that its network is built from; the others are about training."""


def encoder_network(encoder: Artefact) -> dict[str, Any]:
    """Return the part of an encoder's configuration that its network is built from, as plain values."""
    return {name: encoder.config["see"][name] for name in _NETWORK_FIELDS if name in encoder.config["see"]}


class TrainedEncoder(BaseFeaturesExtractor):
    """An encoder as SB3's features extractor: images in [0, 1] to normalized codes, with gradients.

    Only the parts of the model that its codes depend on are kept; decoder and DAE would take memory in every optimizer
    and snapshot. The weights are random at first: SB3's actor-critic policies reinitialize the features extractor when
    they are built (`ortho_init`), so `copy_encoder_into` copies the encoder's weights in afterwards.

    Args:
        observation_space: channel-first images (C k, H, W), k frames of a stack.
        vision: the encoder's configuration, as `encoder_network` returns it.
        frames: k.

    Raises:
        InputError: the configuration is damaged, or the codes of the model pass no gradient to its network.
    """

    def __init__(self, observation_space: spaces.Box, vision: Mapping[str, Any], frames: int = 1) -> None:
        from darla.vision import SeeConfig
        from darla.vision.encoders.load import build_model

        channels, height, width = observation_space.shape
        config = SeeConfig.from_dict(vision)
        model = _encoding_part(build_model(config, (height, width, channels // frames)), config.model)
        super().__init__(observation_space, model.latent_dim * frames)
        self._frames, self.model = frames, model

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (N, C k, H, W) in [0, 1] to normalized codes, float32 (N, D k)."""
        count, channels, *sides = images.shape
        single = images.reshape(count * self._frames, channels // self._frames, *sides)
        single = single.contiguous(memory_format=torch.channels_last)  # forward and backward a third faster on a CPU
        codes = self.model.normalize(self.model.encode(single).mean.float())
        return codes.reshape(count, -1)

    def load_encoder_weights(self, model: "VisionModel") -> None:
        """Copy the weights of a trained encoder."""
        weights = model.state_dict()
        self.model.load_state_dict({name: weights[name] for name in self.model.state_dict()})


def extractor_arguments(vision: Mapping[str, Any] | None, frames: int) -> dict[str, Any]:
    """Return the arguments that give an SB3 policy a `TrainedEncoder`; none if `vision` is None."""
    if vision is None:
        return {}
    return {
        "features_extractor_class": TrainedEncoder,
        "features_extractor_kwargs": {"vision": vision, "frames": frames},
    }


def copy_encoder_into(policy: nn.Module, model: "VisionModel") -> None:
    """Copy an encoder into every features extractor of a policy (DQN's target network has one of its own)."""
    with torch.no_grad():
        for part in policy.modules():
            if isinstance(part, TrainedEncoder):
                part.load_encoder_weights(model)


def _encoding_part(model: "VisionModel", name: str) -> "VisionModel":
    """Return a model without the parts that its codes do not depend on."""
    height, width, channels = model.image_shape
    codes = model.encode(torch.zeros(1, channels, height, width)).mean
    torch.autograd.backward(codes.sum())
    for part, child in list(model.named_children()):
        if all(parameter.grad is None for parameter in child.parameters()):
            setattr(model, part, None)
    model.zero_grad(set_to_none=True)
    if not any(True for _ in model.children()):
        raise InputError(f"model {name!r} cannot be fine-tuned: no gradient flows from its codes to its network")
    return model

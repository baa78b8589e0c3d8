"""Stable-Baselines3's `CnnPolicy` computed in bfloat16, on images that stay bytes until the first convolution.

Parameters, their names, their first values and the layers are SB3's, so that weights can be exchanged. Only the
arithmetic differs, for reasons found with a profiler on a CPU:

- Convolutions, and the linear layer behind them, multiply bfloat16 numbers and add in float32. Heads, losses and the
  optimizer are float32.
- 0 to 255 are bfloat16 numbers without rounding, so that images need no division: the weights of the first convolution
  are divided by 255 instead.
- In an image (H, W, C) k pixels beside each other can be read as one of k times as many channels, without moving a
  byte. A convolution of stride k is then one of stride k x 1 on more channels, which oneDNN computes faster.
- Rows and columns at the edge that no feature depends on are left out (of 64 there are 4, since the second convolution
  does not reach the last row of the first).
- A convolution, its bias and its activation are one autograd node (`darla.vision.training.fused_conv`).
- Weights do not change during a rollout, so they are cast once for all its steps.
"""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import CategoricalDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import Tensor, nn
from torch.nn import functional

from darla.vision.training.devices import disable_malloc_trim
from darla.vision.training.fused_conv import fused_convolution


class BfloatNatureCNN(NatureCNN):
    """SB3's NatureCNN in bfloat16: from images with values from 0 to 255 (and not 1) to float32 features.

    Args:
        observation_space: channel-first images (C, H, W), uint8.
        features_dim: units of the last layer.
        normalized_image: SB3 sets it for a policy that does not divide images by 255, as `BfloatCnnPolicy`.
    """

    def __init__(self, observation_space: spaces.Box, features_dim: int = 512, normalized_image: bool = False) -> None:
        super().__init__(observation_space, features_dim, normalized_image)
        self._layers = [layer for layer in (*self.cnn, *self.linear) if isinstance(layer, nn.Conv2d | nn.Linear)]
        self._strides = [layer.stride[0] for layer in self._layers if isinstance(layer, nn.Conv2d)]
        self._used = [_side_in_use(side, self._layers[:-1]) for side in observation_space.shape[1:]]
        self._cast: tuple[Any, list[Tensor]] = (None, [])

    def train(self, mode: bool = True) -> "BfloatNatureCNN":
        """Switch between training and evaluation; SB3 does before every rollout and every update."""
        self._cast = (None, [])
        return super().train(mode)

    def forward(self, images: Tensor) -> Tensor:
        """Return features of images.

        Args:
            images: (N, C, H, W) with values from 0 to 255, of any type; bytes that lie in memory as (N, H, W, C) are
                read fastest.

        Returns:
            Features, float32 (N, features_dim).
        """
        height, width = self._used
        weights = self._weights()
        # The type changes while rows are left out, so that both are one pass.
        x = images.permute(0, 2, 3, 1)[:, :height, :width].to(torch.bfloat16, memory_format=torch.contiguous_format)
        x = x.permute(0, 3, 1, 2)
        for number, stride in enumerate(self._strides):
            weight, bias = weights[2 * number : 2 * number + 2]
            x, steps = _side_by_side(x, stride), (stride, 1)
            if torch.is_grad_enabled():
                x = fused_convolution(x, weight, bias, "relu", stride=steps)
            else:
                x = functional.conv2d(x, weight, bias, steps).relu_()
        weight, bias = weights[-2:]
        return functional.linear(x.flatten(1), weight.to(x.dtype), bias.to(x.dtype)).relu_().float()

    def _weights(self) -> list[Tensor]:
        """Return weight and bias of each layer; in evaluation, without gradients, as bfloat16 that is kept."""
        both = [parameter for layer in self._layers for parameter in (layer.weight, layer.bias)]
        own = [parameter for parameter in both if parameter is not None]
        if torch.is_grad_enabled():
            return self._prepared(own)
        if self.training or own[0].is_inference():  # a fused optimizer does not count versions, `train` does the rest
            return [each.to(torch.bfloat16) for each in self._prepared(own)]
        versions = [(parameter.data_ptr(), parameter._version) for parameter in own]
        if self._cast[0] != versions:
            self._cast = (versions, [each.to(torch.bfloat16) for each in self._prepared(own)])
        return self._cast[1]

    def _prepared(self, own: list[Tensor]) -> list[Tensor]:
        first, *others = own
        weights = [first / 255.0, *others]
        for number, stride in enumerate(self._strides):
            weights[2 * number] = _kernel_side_by_side(weights[2 * number], stride)
        return weights


class BfloatCnnPolicy(ActorCriticCnnPolicy):
    """SB3's `CnnPolicy` with a `BfloatNatureCNN`, whose images are not cast to float32 and divided by 255.

    The optimizer is SB3's Adam, computed in one pass over all parameters.

    Args:
        observation_space: channel-first images (C, H, W), uint8.
        action_space: what the policy chooses from.
        lr_schedule: the learning rate.
        net_arch: units of the hidden layers behind the features.
        arguments: others of `CnnPolicy`.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        net_arch: list[int] | None = None,
        **arguments: Any,
    ) -> None:
        disable_malloc_trim()
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=net_arch,
            features_extractor_class=BfloatNatureCNN,
            normalize_images=False,
            # eps is SB3's own, which it leaves out where there are other arguments.
            optimizer_kwargs={"eps": 1e-5, "fused": True},
            **arguments,
        )

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Return actions, values and log probabilities for images, as SB3 does, with fewer operations.

        One action of several is drawn without a `Distribution`, which takes as long as a convolution in a rollout.
        """
        if not isinstance(self.action_dist, CategoricalDistribution):
            return super().forward(obs, deterministic)
        latent_pi, latent_vf = self.mlp_extractor(self.extract_features(obs))
        log_probabilities = functional.log_softmax(self.action_net(latent_pi), dim=1)
        if deterministic:
            actions = log_probabilities.argmax(dim=1, keepdim=True)
        else:
            actions = torch.multinomial(log_probabilities.exp(), 1, replacement=True)
        return actions.flatten(), self.value_net(latent_vf), log_probabilities.gather(1, actions).flatten()

    def extract_features(  # type: ignore[override]  # of images, which are no dictionary
        self, obs: Tensor, features_extractor: BaseFeaturesExtractor | None = None
    ) -> Tensor:
        """Return the features of images, (N, C, H, W) with values from 0 to 255."""
        features: Tensor = (features_extractor or self.features_extractor)(obs)
        return features

    def get_distribution(self, obs: Tensor) -> Distribution:  # type: ignore[override]
        """Return what actions are drawn from, for images as in `extract_features`."""
        return self._get_action_dist_from_latent(self.mlp_extractor.forward_actor(self.extract_features(obs)))

    def predict_values(self, obs: Tensor) -> Tensor:  # type: ignore[override]
        """Return the values of images as in `extract_features`, float32 (N, 1)."""
        values: Tensor = self.value_net(self.mlp_extractor.forward_critic(self.extract_features(obs)))
        return values


def _side_in_use(side: int, convolutions: list[Any]) -> int:
    """Return how many pixels of a side the outputs of convolutions without padding depend on."""
    if not convolutions:
        return side
    first, *others = convolutions
    kernel, stride = first.kernel_size[0], first.stride[0]
    outputs = _side_in_use((side - kernel) // stride + 1, others)
    return int(stride * (outputs - 1) + kernel)


def _side_by_side(images: Tensor, k: int) -> Tensor:
    """Read k pixels beside each other as one: (N, C, H, W), channels last, as (N, k C, H, W / k)."""
    count, channels, height, width = images.shape
    return images.permute(0, 2, 3, 1).reshape(count, height, width // k, k * channels).permute(0, 3, 1, 2)


def _kernel_side_by_side(kernel: Tensor, k: int) -> Tensor:
    """Return a kernel (O, C, K, k L) as (O, k C, K, L), for images as `_side_by_side` returns them."""
    outputs, channels, height, width = kernel.shape
    apart = kernel.reshape(outputs, channels, height, width // k, k).permute(0, 4, 1, 2, 3)
    return apart.reshape(outputs, k * channels, height, width // k)

"""The policy of episodic control: an embedding of observations, and the table over it."""

from typing import Any, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from darla.agents.algorithms.episodic_control.memory import EpisodicMemory
from darla.common import InputError

Observations = Tensor | dict[str, Tensor]
"""SB3's type; dictionaries come from `Dict` spaces, which darla refuses."""


class RandomProjection(BaseFeaturesExtractor):
    """A Gaussian random projection of flattened images (Blundell et al. 2016, section 3), which keeps distances.

    Its entries have variance 1 / width, so that distances are preserved in size as well; nearest neighbors do not
    depend on that factor.

    Args:
        observation_space: of images, channel first.
        features_dim: width of the projection.
    """

    matrix: Tensor
    """float32 (C x H x W, width)."""
    matrix64: Tensor
    """`matrix` in float64; not saved."""

    def __init__(self, observation_space: spaces.Box, features_dim: int = 64) -> None:
        super().__init__(observation_space, features_dim)
        self.register_buffer("matrix", torch.zeros(spaces.flatdim(observation_space), features_dim))
        self.register_buffer("matrix64", self.matrix.double(), persistent=False)
        self.register_load_state_dict_post_hook(_update_matrix64)  # type: ignore[no-untyped-call]

    def draw(self, generator: torch.Generator) -> None:
        """Draw the matrix."""
        drawn = torch.randn(self.matrix.shape, generator=generator)
        self.matrix.copy_(drawn * self.features_dim**-0.5)
        self.matrix64.copy_(self.matrix)

    def forward(self, images: Tensor) -> Tensor:
        """Project images, float32 (n, C, H, W) in [0, 1], to float32 (n, width).

        The sums are in float64. In float32 their rounding depends on the processor and on the batch size, so a state
        would not be recognized in the table.
        """
        return (images.flatten(1).double() @ self.matrix64).float()


def _update_matrix64(projection: RandomProjection, _: object) -> None:
    projection.matrix64.copy_(projection.matrix)


class EpisodicPolicy(BasePolicy):
    """Takes the action of the highest value in an episodic memory.

    Args:
        observation_space: codes (D,), used as states, or images (C, H, W), which are projected.
        action_space: discrete.
        lr_schedule: ignored, since there is no gradient; SB3 passes it to every policy.
        capacity: entries of each action.
        neighbors: k.
        projection: size of the projection; None for codes.

    Raises:
        InputError: a size of the table is wrong, or images come without a projection.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        capacity: int = 20_000,
        neighbors: int = 50,
        projection: int | None = None,
    ) -> None:
        if projection is None and len(observation_space.shape or ()) > 1:
            raise InputError("episodic control on images needs a projection: a table of whole images is too large")
        super().__init__(
            observation_space,
            action_space,
            features_extractor_class=FlattenExtractor if projection is None else RandomProjection,
            features_extractor_kwargs={} if projection is None else {"features_dim": projection},
        )
        self.features_extractor = self.make_features_extractor()
        width = self.features_extractor.features_dim
        self.memory = EpisodicMemory(int(action_space.n), width, capacity, neighbors)

    @property
    def device(self) -> torch.device:
        """Device of the table; SB3's own property looks at parameters, and there are none."""
        return self.memory.keys.device

    def embed(self, observations: Observations) -> Tensor:
        """Return the states of observations, float32 (n, D)."""
        return self.extract_features(observations, self.features_extractor)

    @torch.no_grad()
    def q_values(self, observations: Observations) -> Tensor:
        """Return the value of every action, float32 (n, A); infinity for one with fewer than k entries."""
        return cast(Tensor, self.memory(self.embed(observations)))

    def _predict(self, observation: Observations, deterministic: bool = False) -> Tensor:
        return self.q_values(observation).argmax(dim=1)

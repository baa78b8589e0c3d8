"""The policy of episodic control: an embedding of what the agent sees, and the table over it."""

from typing import Any, cast

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from darla.agents.algorithms.episodic_control.memory import EpisodicMemory
from darla.common import InputError

Seen = Tensor | dict[str, Tensor]
"""What SB3 hands to a policy; a dictionary for environments that we refuse."""


class RandomProjection(BaseFeaturesExtractor):
    """A Gaussian random projection of flattened images (Blundell et al. 2016, section 3), which keeps distances.

    Its entries are of variance 1 / width, so that distances keep their size as well: a common factor that nearest
    neighbours do not depend on.

    Args:
        observation_space: of images, channel first.
        features_dim: width, the numbers it projects to.
    """

    matrix: Tensor
    """float32 (C x H x W, width)."""
    wide: Tensor
    """The same in float64; follows from `matrix`."""

    def __init__(self, observation_space: spaces.Box, features_dim: int = 64) -> None:
        super().__init__(observation_space, features_dim)
        self.register_buffer("matrix", torch.zeros(spaces.flatdim(observation_space), features_dim))
        self.register_buffer("wide", self.matrix.double(), persistent=False)
        self.register_load_state_dict_post_hook(_widen)  # type: ignore[no-untyped-call]

    def draw(self, generator: torch.Generator) -> None:
        """Draw the matrix."""
        drawn = torch.randn(self.matrix.shape, generator=generator)
        self.matrix.copy_(drawn * self.features_dim**-0.5)
        self.wide.copy_(self.matrix)

    def forward(self, images: Tensor) -> Tensor:
        """Project images, float32 (n, C, H, W) in [0, 1], to float32 (n, width).

        Sums are taken in float64: in float32 their order, which depends on the processor and on how many images there
        are, would show, and a state that is in the table would not be found there again.
        """
        return (images.flatten(1).double() @ self.wide).float()


def _widen(projection: RandomProjection, _: object) -> None:
    projection.wide.copy_(projection.matrix)


class EpisodicPolicy(BasePolicy):
    """Takes the action of the highest value in an episodic memory.

    Args:
        observation_space: codes (D,), which are the states themselves, or images (C, H, W), which are projected.
        action_space: discrete.
        lr_schedule: ignored, there is no gradient; SB3 hands it to every policy.
        capacity: entries of each action.
        neighbours: k.
        projection: numbers that an observation is projected to; None for codes.

    Raises:
        InputError: the table cannot be used, or is to hold images as they are.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        capacity: int = 20_000,
        neighbours: int = 50,
        projection: int | None = None,
    ) -> None:
        projects = projection is not None
        if not projects and len(observation_space.shape or ()) > 1:
            raise InputError("episodic control on images needs a projection: a table of whole images is too large")
        super().__init__(
            observation_space,
            action_space,
            features_extractor_class=RandomProjection if projects else FlattenExtractor,
            features_extractor_kwargs={"features_dim": projection} if projects else {},
        )
        self.features_extractor = self.make_features_extractor()
        width = self.features_extractor.features_dim
        self.memory = EpisodicMemory(int(action_space.n), width, capacity, neighbours)

    @property
    def device(self) -> torch.device:
        """Where the table is; SB3 looks for parameters, and there are none."""
        return self.memory.keys.device

    def embed(self, observations: Seen) -> Tensor:
        """Return the states of observations, float32 (n, D)."""
        return self.extract_features(observations, self.features_extractor)

    @torch.no_grad()
    def q_values(self, observations: Seen) -> Tensor:
        """Return the value of every action, float32 (n, A); infinity for one that has hardly been tried."""
        return cast(Tensor, self.memory(self.embed(observations)))

    def _predict(self, observation: Seen, deterministic: bool = False) -> Tensor:
        return self.q_values(observation).argmax(dim=1)

"""The smallest images and configurations that still go through every stage."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from squares import Frames

from darla.vision import SeeConfig


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def frames() -> Frames:
    return Frames(256)


@pytest.fixture
def images() -> torch.Tensor:
    """Six images as a model reads them, (6, 3, 16, 16)."""
    return torch.from_numpy(Frames(6, seed=3).images).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="session")
def tiny() -> SeeConfig:
    """A configuration that trains in a second."""
    return SeeConfig().change(
        latent_dim=4, bottleneck=8, statistics_frames=64,
        training__steps=6, training__batch_size=16, training__log_every=3, training__checkpoint_every=4,
        dae_training__steps=6, dae_training__batch_size=16, dae_training__log_every=3, dae_training__checkpoint_every=4,
    )  # fmt: skip

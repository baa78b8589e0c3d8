import sys
from pathlib import Path

import numpy as np
import pytest

from darla.envs import EnvDomain

# Worker processes import the toy environment by the name of its module, and take the path of this one.
sys.path.insert(0, str(Path(__file__).parent))

import toy_images
import toy_training


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def columns():
    """A domain of small images, 48 x 48: large enough for NatureCNN and a multiple of 16 for the encoders."""
    return EnvDomain("columns", toy_images.ENV_ID, ({"size": toy_images.SIZE},))


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """An encoder artefact of `darla.vision`, never trained, its codes normalized on frames of `columns`."""
    return toy_training.write_encoder(tmp_path_factory.mktemp("encoders") / "columns", seed=0)


@pytest.fixture
def images():
    """Random images of the size that `columns` shows."""
    size = toy_images.SIZE
    return np.random.default_rng(0).integers(0, 256, (9, size, size, 3), dtype=np.uint8)

"""A frozen encoder between environments and policy: images in, normalized codes out."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from darla.agents.algorithms.settings import Precision
from darla.agents.vec_env.spaces import image_shape
from darla.common import Artefact, InputError, open_artefact
from darla.common.files import hash_tensors

if TYPE_CHECKING:
    from darla.vision import VisionModel

Codes = np.ndarray[Any, np.dtype[np.float32]]


class FrozenEncoder:
    """An encoder that stays as it is while a policy trains: evaluation mode, no gradients, normalized posterior means.

    Training and evaluation both turn images into codes by its `encode` and by nothing else.

    Args:
        model: the vision model; it is put into evaluation mode.
        digest: the digest of its artefact; None for a model that was never saved.
        precision: the arithmetic of its layers.
        device: where it runs: `cpu`, `cuda`, `cuda:1`, ..., or `auto`.

    Raises:
        InputError: there is no such device.
    """

    def __init__(
        self,
        model: "VisionModel",
        digest: str | None = None,
        precision: Precision = "float32",
        device: str = "cpu",
    ) -> None:
        from darla.vision.training.devices import choose_device, place

        self.device = choose_device(device)
        self.model = model.eval().requires_grad_(False)
        place(self.model, self.device)
        self.digest = digest
        self.precision: Precision = precision

    @classmethod
    def load(
        cls, artefact: Artefact | Path | str, precision: Precision | None = None, device: str = "cpu"
    ) -> "FrozenEncoder":
        """Load an encoder artefact.

        Args:
            artefact: its folder, or the artefact already opened, whose files are then not hashed again.
            precision: the arithmetic of its layers; None takes the fastest the device has (`fastest_precision`), or
                float32 for a network that is not darla's.
            device: where it runs.

        Raises:
            ArtefactError: the artefact is missing, unfinished, damaged or not an encoder.
        """
        from darla import vision

        opened = open_artefact(artefact, kind="encoder")
        model = vision.load(opened)
        return cls(
            model, opened.digest, precision or ("float32" if model.is_foreign else fastest_precision(device)), device
        )

    @property
    def latent_dim(self) -> int:
        """D, the number of latents."""
        return self.model.latent_dim

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images it reads."""
        return self.model.image_shape

    @torch.inference_mode()
    def encode(self, images: np.ndarray[Any, Any]) -> Codes:
        """Encode images in one batch.

        Args:
            images: uint8 (N, H, W, C).

        Returns:
            Normalised posterior means, float32 (N, D).

        Raises:
            InputError: images of another shape or type, or a code that is not finite.
        """
        # Checked at every step, since other code may hold the model and put it into training mode: the running
        # statistics of batch normalization would then drift, and dropout would be active.
        if self.model.training:
            self.model.eval()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            mean = self.model.encode(self.model.to_input(images)).mean
        codes: Codes = self.model.normalize(mean.float()).cpu().numpy()
        if not np.isfinite(codes).all():
            raise InputError("the encoder gave a code that is not finite (NaN or infinity); its training has failed")
        return codes

    def fingerprint(self) -> str:
        """Return the SHA-256 over the names and bytes of all its parameters and buffers."""
        hashed = hashlib.sha256()
        hash_tensors(hashed, self.model.state_dict())
        return hashed.hexdigest()


class LatentVecEnv(VecEnvWrapper):
    """Return codes in place of images, with one batched encoding per vectorized step.

    The last images of finished episodes (`terminal_observation`) are encoded in the same batch.

    The encoder is here and not in the policy, because SB3 reinitializes a features extractor when it builds an
    actor-critic policy (`ortho_init`), puts it into training mode at every update, and would encode every image again
    in every epoch; SB3's own advice is the same (SB3 #409). Rollout and replay buffers then hold codes, a thousandth of
    the size of images.

    Args:
        venv: environments of uint8 images (H, W, C).
        encoder: turns images into codes.

    Raises:
        InputError: the encoder reads images of another shape.
    """

    def __init__(self, venv: VecEnv, encoder: FrozenEncoder) -> None:
        shape = image_shape(venv.observation_space)
        if shape != encoder.image_shape:
            raise InputError(
                f"the encoder reads images of shape {encoder.image_shape}, but the environment shows {shape};"
                " train an encoder on frames of this environment"
            )
        super().__init__(venv, spaces.Box(-np.inf, np.inf, (encoder.latent_dim,), np.float32))
        self.encoder = encoder

    def reset(self) -> Codes:
        """Reset every environment.

        Returns:
            Codes, float32 (n_envs, D).
        """
        images = self.venv.reset()
        assert isinstance(images, np.ndarray)
        return self.encoder.encode(images)

    def step_wait(self) -> VecEnvStepReturn:
        """Wait for the step, and encode the new images and the last images of finished episodes.

        Returns:
            Codes (n_envs, D), rewards, dones, infos; `terminal_observation` in an info is a code (D,) as well.
        """
        images, rewards, dones, infos = self.venv.step_wait()
        assert isinstance(images, np.ndarray)
        ended = [index for index, info in enumerate(infos) if "terminal_observation" in info]
        if ended:
            images = np.concatenate([images, [infos[index]["terminal_observation"] for index in ended]])
        codes = self.encoder.encode(images)
        for index, code in zip(ended, codes[self.num_envs :], strict=True):
            infos[index]["terminal_observation"] = code
        return codes[: self.num_envs], rewards, dones, infos


def fastest_precision(device: str = "cpu") -> Precision:
    """Return the arithmetic in which a device encodes fastest: bfloat16 where native, else float32."""
    from darla.vision.training.devices import choose_device, cpu_has_bfloat16

    if choose_device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if cpu_has_bfloat16() else "float32"

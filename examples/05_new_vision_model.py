"""A vision model of your own, outside the package: a VAE whose codes are sparse.

    python examples/05_new_vision_model.py --out runs/sparse

In a package the class goes into a module, and an entry point offers it to the command line (docs: A new vision model).
"""

from dataclasses import dataclass
from pathlib import Path

import tyro
from torch import Generator, Tensor

import darla
from darla.envs.frames.collect import CollectConfig
from darla.vision import VAE, LatentModelConfig, Posterior, register_model
from darla.vision.metrics.config import MetricsConfig
from darla.vision.presets import encoder


@dataclass(frozen=True)
class SparseVAEConfig(LatentModelConfig):
    """A VAE with an L1 penalty on its codes."""

    sparsity: float = 1.0
    """Weight of the sum of absolute codes."""


@register_model("sparse_vae", label="Sparse VAE", symbol="λ", weight="sparsity")
class SparseVAE(VAE):
    """L = reconstruction + KL(q(z|x) || N(0, I)) + sparsity ||mu(x)||_1, minimized."""

    Config = SparseVAEConfig
    config: SparseVAEConfig

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return KL + sparsity ||mu||_1, and both terms for `history.csv`."""
        kl, l1 = posterior.kl(), posterior.mean.abs().sum(dim=1).mean()
        return kl + self.config.sparsity * l1, {"kl": kl, "l1": l1}


def main(out: Path = Path("runs/sparse"), frames: int = 4_000, steps: int = 2_000) -> None:
    """Train it on sprites and score it.

    Args:
        out: folder for frames, encoder and metrics.
        frames: images to train on.
        steps: training steps.
    """
    images = darla.collect(CollectConfig("sprites", frames), out / "frames")
    config = encoder(model="sparse_vae").change(training__steps=steps, sparsity=0.5)
    artefact = darla.see(images, out / "encoder", config)
    scores = darla.metrics(artefact, out / "metrics", config=MetricsConfig(names=("mig", "sap"), rows=1_000))
    print((scores.folder / "table.md").read_text())


if __name__ == "__main__":
    tyro.cli(main)

"""The first stage, learn to see: train an encoder on frames, without labels and without rewards."""

from collections.abc import Sequence
from pathlib import Path

from darla.common import Artefact
from darla.envs.frames.frame_set import FrameSet
from darla.vision import SeeConfig, presets, train_dae, train_encoder


def see(
    frames: FrameSet | Artefact | Path | str,
    out: Path | str,
    config: SeeConfig | str | None = None,
    *,
    seed: int = 0,
    dae: Artefact | Path | str | None = None,
    watch: Sequence[str] = (),
) -> Artefact:
    """Train an encoder on frames of D_U.

    Args:
        frames: a frames artefact.
        out: folder of the artefact; an interrupted call resumes there.
        config: model and training, or the name of a preset; `darla` if None.
        seed: master seed.
        dae: a denoising autoencoder whose features the loss compares, so that several encoders can share it; if None
            and the loss needs one, it is trained first.
        watch: metrics of the suite that are logged to TensorBoard and `watched/` during training; they do not change
            the result.

    Returns:
        An artefact of kind `encoder`, an input of `darla.act`.

    Raises:
        InputError: the frames are damaged, there is no such preset, or the folder holds something else.
    """
    config = config if isinstance(config, SeeConfig) else presets.encoder(config)
    return train_encoder(config, open_frames(frames), out, seed, dae=dae, watch=watch)


def train_denoiser(
    frames: FrameSet | Artefact | Path | str, out: Path | str, config: SeeConfig, *, seed: int = 0
) -> Artefact:
    """Train only the denoising autoencoder that `config` describes; `see` takes it as `dae`."""
    return train_dae(config, open_frames(frames), out, seed)


def open_frames(frames: FrameSet | Artefact | Path | str) -> FrameSet:
    """Open a set of frames, unless it is open already."""
    if isinstance(frames, FrameSet):
        return frames
    return FrameSet.open(frames.folder if isinstance(frames, Artefact) else frames)

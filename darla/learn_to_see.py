"""The first stage, learn to see: an encoder from frames alone, without labels and without rewards."""

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
        frames: what `darla.collect` made.
        out: folder of the artefact; a call that was interrupted goes on there.
        config: what to train and how, or the name of a preset; `darla` if None.
        seed: master seed.
        dae: a denoising autoencoder for the objective to compare features with, so that several encoders share it;
            one is trained on the way if None and the objective needs one.
        watch: metrics of the suite to write to TensorBoard and `watched/` during training; they change no result.

    Returns:
        An artefact of kind `encoder`, which `darla.act` takes.

    Raises:
        InputError: the frames are damaged, there is no such preset, or the folder holds something else.
    """
    chosen = config if isinstance(config, SeeConfig) else presets.encoder(config)
    return train_encoder(chosen, open_frames(frames), out, seed, dae=dae, watch=watch)


def train_denoiser(
    frames: FrameSet | Artefact | Path | str, out: Path | str, config: SeeConfig, *, seed: int = 0
) -> Artefact:
    """Train only the denoising autoencoder that `config` describes; `see` takes it as `dae`."""
    return train_dae(config, open_frames(frames), out, seed)


def open_frames(frames: FrameSet | Artefact | Path | str) -> FrameSet:
    """Return a set of frames in whichever form it was given."""
    if isinstance(frames, FrameSet):
        return frames
    return FrameSet.open(frames.folder if isinstance(frames, Artefact) else frames)

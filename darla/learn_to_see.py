"""The first stage, learn to see: train an encoder on frames, without labels and without rewards."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darla.common import Artefact, InputError
from darla.common.checked_config import checked_arguments_but
from darla.envs.frames.frame_set import FrameSet, Images
from darla.envs.frames.from_images import frames_from_images
from darla.envs.frames.own_images import ImageOptions, is_own_images, open_images, require_readable
from darla.vision import SeeConfig, presets, train_dae, train_encoder
from darla.vision.training.devices import DistributedContext, choose_device

Source = FrameSet | Artefact | Images | Path | str
"""Frames, or images of a user."""


@checked_arguments_but("frames")
def see(
    frames: Source,
    out: Path | str,
    config: SeeConfig | str | None = None,
    *,
    seed: int = 0,
    dae: Artefact | Path | str | None = None,
    watch: Sequence[str] = (),
    images: ImageOptions | None = None,
) -> Artefact:
    """Train an encoder on frames of D_U, or on images of your own.

    Args:
        frames: a frames artefact; or images: an array, a folder of image files, or a npy, npz or HDF5 file
            (`darla.envs.frames.own_images.open_images`). Images are written as frames, into `OUT-frames`.
        out: folder of the artefact; an interrupted call resumes there.
        config: model and training, or the name of a preset; `darla` if None. A network of one's own, or of timm, is
            `darla.vision.frozen(network)`, or its import path.
        seed: master seed.
        dae: a denoising autoencoder whose features the loss compares, so that several encoders can share it; if None
            and the loss needs one, it is trained first.
        watch: metrics of the suite that are logged to TensorBoard and `watched/` during training; they do not change
            the result.
        images: how images of your own are read: their size, their channels, a table of factors.

    Returns:
        An artefact of kind `encoder`, an input of `darla.act`.

    Raises:
        InputError: the frames or images cannot be used, there is no such preset, or the folder holds something else.
    """
    config = config if isinstance(config, SeeConfig) else presets.encoder(config)
    opened = open_frames(frames, out, images, device=config.training.device)
    return train_encoder(config, opened, out, seed, dae=dae, watch=watch)


@checked_arguments_but("frames")
def train_denoiser(frames: Source, out: Path | str, config: SeeConfig, *, seed: int = 0) -> Artefact:
    """Train only the denoising autoencoder that `config` describes; `see` takes it as `dae`."""
    return train_dae(config, open_frames(frames, out, device=config.training.device), out, seed)


def open_frames(
    frames: Source,
    out: Path | str,
    images: ImageOptions | None = None,
    *,
    device: str = "cpu",
    readable: bool = True,
) -> FrameSet:
    """Open a set of frames, unless it is open already; images are written as frames first.

    Args:
        frames: a frames artefact, or images of a user.
        out: folder of what uses them; images become frames in `OUT-frames`.
        images: how images are read.
        device: that will be trained on; with `torchrun`, the leading process writes the frames.
        readable: whether images must be of a size that encoders read.

    Raises:
        InputError: frames or images that cannot be used, or options of images that would be ignored.
    """
    if isinstance(frames, list | tuple):
        raise InputError(f"images are a {type(frames).__name__}, but an array is needed: numpy.stack(images)")
    if isinstance(frames, FrameSet | Artefact) or not is_own_images(frames):
        if images is not None and images != ImageOptions():
            raise InputError(
                "options of images (resize, fit, channels, factors) would be ignored: what is given are frames already"
            )
        if isinstance(frames, FrameSet):
            return frames
        assert not isinstance(frames, np.ndarray), "an array is no artefact"
        return FrameSet.open(frames.folder if isinstance(frames, Artefact) else frames)
    folder = Path(f"{out}-frames")
    processes = DistributedContext.join(choose_device(device))
    if processes.leads:
        opened = open_images(frames, images)
        if readable:
            require_readable(opened)
        name = Path(frames).name if isinstance(frames, Path | str) else "images"
        frames_from_images(opened, folder, options=images, name=name)
        print(f"{opened.count} images of {opened.where}: frames in {folder}", file=sys.stderr, flush=True)
    processes.wait()
    return FrameSet.open(folder)

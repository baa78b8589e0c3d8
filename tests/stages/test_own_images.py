"""Images of a user from the command line and from Python: see, metrics, act, transfer and report, of any channels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import darla
from darla.agents import ActConfig, PPOSettings
from darla.cli import main as cli
from darla.common import Artefact, InputError
from darla.envs import TransferTask
from darla.envs.domains.task_files import task_from_dict
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images
from darla.envs.frames.own_images import ImageOptions
from darla.vision import SeeConfig
from darla.vision.metrics.config import MetricsConfig
from darla.zero_shot import TransferConfig

SHORT = SeeConfig().change(
    training__steps=4, training__batch_size=16, dae_training__steps=4, dae_training__batch_size=16, latent_dim=4
)
FLAGS = ["--preset", "beta-1", "--training.steps", "4", "--training.batch-size", "16", "--vae.latent-dim", "4"]


def pictures(count: int, height: int = 84, width: int = 84) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Images of a bright square, and where it is."""
    rng, images = np.random.default_rng(0), np.full((count, height, width, 3), 40, np.uint8)
    places = {
        "row": rng.integers(0, height - 20, count).tolist(),
        "column": rng.integers(0, width - 20, count).tolist(),
    }
    for image, row, column in zip(images, places["row"], places["column"], strict=True):
        image[row : row + 20, column : column + 20] = 230
    return images, places


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, places = pictures(60)
    (tmp_path / "pictures").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{number}.png")
    rows = [f"{number}.png,{places['row'][number]},{places['column'][number]}" for number in reversed(range(60))]
    (tmp_path / "factors.csv").write_text("\n".join(["picture,row,column", *rows]))
    folder, out = str(tmp_path / "pictures"), tmp_path / "encoder"

    assert cli.main(["see", folder, *FLAGS, "--out", str(out)]) == 2
    assert "--resize 80 80" in capsys.readouterr().err
    assert not list(tmp_path.glob("encoder*"))

    read = ["--resize", "32", "--factors", str(tmp_path / "factors.csv")]
    assert cli.main(["see", folder, *FLAGS, *read, "--out", str(out)]) == 0
    frames = FrameSet.open(tmp_path / "encoder-frames")
    assert frames.image_shape == (32, 32, 3)
    assert frames.contexts["row"].tolist() == places["row"]
    assert Artefact.load(out).card["extra"]["domain"]["name"] == "pictures"

    # What the encoder was trained on is scored if nothing else is named, and the same images give the same scores.
    scored = ["--names", "mig", "--out"]
    assert cli.main(["metrics", str(out), *scored, str(tmp_path / "m")]) == 0
    assert cli.main(["metrics", str(out), "--data", folder, *read, *scored, str(tmp_path / "n")]) == 0
    results = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in "mn"]
    assert results[0]["factors"] == ["row", "column"]
    assert results[0]["results"]["mig"]["score"] == results[1]["results"]["mig"]["score"]

    capsys.readouterr()
    assert (
        cli.main(["see", str(tmp_path / "encoder-frames"), *FLAGS, "--resize", "48", "--out", str(tmp_path / "x")]) == 2
    )
    assert "would be ignored: what is given are frames already" in capsys.readouterr().err
    assert cli.main(["metrics", str(out), "--data", folder, "--resize", "32", *scored, str(tmp_path / "y")]) == 2
    assert "give a table with --factors" in capsys.readouterr().err
    assert cli.main(["metrics", str(out), "--data", folder, *read[2:], *scored, str(tmp_path / "z")]) == 2
    assert "images (84, 84, 3), but the encoder reads (32, 32, 3)" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder of JPEG", "npy", "npz", "HDF5"])
def test_every_kind_of_images_and_table_from_the_command_line(kind: str, tmp_path: Path) -> None:
    images, places = pictures(32, 84, 56)
    source = tmp_path / f"pictures.{kind}"
    table = np.array(list(zip(*places.values(), strict=True)))
    if kind == "folder of JPEG":
        source.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(source / f"{number}.jpg")
    elif kind == "npy":
        np.save(source, images)
    elif kind == "npz":
        np.savez(source, images=images, masks=images[..., :1])
    else:
        source = source.with_suffix(".h5")
        with pytest.importorskip("h5py").File(source, "w") as file:
            file["images"], file["masks"] = images, images[..., :1]
    np.save(tmp_path / "table.npy", table)
    given = str(source) if kind in ("folder of JPEG", "npy") else f"{source}:images"
    read = ["--resize", "48", "--fit", "pad", "--channels", "1", "--factors", str(tmp_path / "table.npy")]
    assert cli.main(["see", given, *FLAGS, *read, "--out", str(tmp_path / "encoder")]) == 0
    frames = FrameSet.open(tmp_path / "encoder-frames")
    assert frames.image_shape == (48, 48, 1)
    assert (frames[:][:, :, [0, -1]] == 0).all()  # padded at the sides, to 32 of 48 columns
    assert sorted(column.tolist() for column in frames.contexts.values()) == sorted(places.values())
    assert cli.main(["metrics", str(tmp_path / "encoder"), "--names", "mig", "--out", str(tmp_path / "scores")]) == 0


def test_from_python_an_array_is_enough(tmp_path: Path) -> None:
    images, places = pictures(40, 32, 48)
    encoder = darla.see(images, tmp_path / "encoder", SHORT)
    assert darla.see(images, tmp_path / "encoder", SHORT).digest == encoder.digest
    frames = frames_from_images(images, tmp_path / "frames", factors=places)
    scores = darla.metrics(encoder, tmp_path / "metrics", frames, MetricsConfig(names=("mig",)))
    assert scores.card["inputs"]["frames"] == frames.digest
    with pytest.raises(InputError, match="no factor that varies"):
        darla.metrics(encoder, tmp_path / "other")  # these images have no factors
    with pytest.raises(InputError, match="must be uint8"):
        darla.see(images / 255, tmp_path / "floats", SHORT)
    with pytest.raises(InputError, match="name images of your own as data"):
        darla.metrics(encoder, tmp_path / "other", config=None, images=ImageOptions(channels=1))


def stripes(channels: int) -> TransferTask:
    """A task of a user's environment whose images have that many channels."""
    form = {1: "gray", 3: "image", 4: "rgba"}[channels]

    def variants(*hues: int) -> dict[str, Any]:
        return {"variants": [{"form": form, "side": {"tuple": [48, 48]}, "hue": hue} for hue in hues]}

    return task_from_dict(
        {
            "name": f"{form} stripes",
            "env_id": "own_stripes:Stripes",
            "unlabeled": variants(40, 200),
            "source": variants(40),
            "targets": {"bright": variants(200)},
        }
    )


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow), 4])
def test_images_of_any_channels_reach_the_report(channels: int, tmp_path: Path) -> None:
    task, images = stripes(channels), pictures(40, 48, 48)[0]
    config = SHORT if channels == 3 else SHORT.change(dae__hue_prob=0.0)
    encoder = darla.see(images, tmp_path / "encoder", config, images=ImageOptions(channels=channels))  # type: ignore[arg-type]
    act = ActConfig(env_steps=64, snapshots=1, settings=PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1))
    agents = [
        ("own images", darla.act(task, tmp_path / "agent", act, encoder=encoder)),
        ("end to end", darla.act(task, tmp_path / "pixels", act)),
    ]
    transfer = darla.transfer(task, agents, tmp_path / "transfer", TransferConfig(episodes=4))
    scores = json.loads((transfer.folder / "scores.json").read_text())
    leaks = {method["method"]: method.get("leaks", {}) for method in scores["methods"]}
    # It is not known whether the images show what is new in the target.
    assert leaks["own images"] == {"bright": "unknown"}
    assert leaks["end to end"] == {}
    page = (darla.report(transfer, tmp_path / "report").folder / "report.html").read_text()
    assert "The encoder of own images was trained on images that are of no domain" in page
    assert list((transfer.folder / "strips").glob("*.png"))

"""A network of one's own, or of timm, as a frozen encoder: its codes, its preprocessing, and what is refused."""

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

import darla
from darla import vision
from darla.cli.main import main
from darla.common import ArtefactError, InputError
from darla.common.files import save_tensors
from darla.envs.frames.from_images import frames_from_images
from darla.vision import encode_images, frozen

SIZE = (32, 32)
NETS = '''
import torch
from torch import nn


def pooled(side: int = 2) -> nn.Module:
    """Two layers and a pool, with weights at random."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(side), nn.Flatten())


class OldStyle(nn.Module):
    """Flattens with `view`, as much code does."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.BatchNorm2d(4), nn.ReLU())
        self.line = nn.Linear(4 * 8 * 8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(x)
        return self.line(x.view(x.size(0), -1))


class Pair(nn.Module):
    """Returns mean and log-variance, as the encoder of a VAE does."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean((2, 3)), -x.std((2, 3))


class Odd(nn.Module):
    def __init__(self, kind: str = "map") -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor):
        means = x.mean((2, 3))
        return {
            "map": x,
            "dict": {"codes": means},
            "random": means + torch.rand(means.shape),
            "nan": means / 0,
            "fails": lambda: means,
        }[self.kind]


made = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
number = 5
'''
MEANS = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""The codes are the means of the channels."""
timm = pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed (extra timm)")


class Images:
    """Images of any number of channels, with facts about them."""

    digest = "images"

    def __init__(self, images: np.ndarray, state: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
        self.images, self.state = images, state

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows):
        return self.images[rows]


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch) -> Path:
    """A module of networks, in the folder in which commands are given."""
    (tmp_path / "my_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def shown() -> dict[str, np.ndarray]:
    """Images of one hue with a bright square, and the factors behind them."""
    rng = np.random.default_rng(0)
    red, x = rng.integers(0, 256, 160), rng.integers(0, 25, 160)
    images = np.zeros((160, *SIZE, 3), np.uint8)
    images[..., 0] = red[:, None, None]
    for image, left in zip(images, x, strict=True):
        image[10:18, left : left + 8, 1] = 200
    return {"images": images, "red": red / 255, "x": x.astype(float)}


@pytest.fixture(scope="module")
def frames(shown, tmp_path_factory) -> Path:
    factors = {"red": shown["red"], "x": shown["x"]}
    return frames_from_images(shown["images"], tmp_path_factory.mktemp("frames") / "frames", factors=factors).folder


def test_the_command_line_makes_an_encoder_of_a_function_and_scores_it(frames, own_module, capsys):
    words = ["--encoder", "my_nets:pooled", "--vae.arguments", '{"side": 1}', "--vae.order", "bgr", "--out", "run"]
    assert main(["see", str(frames), *words]) == 0, capsys.readouterr().err
    assert main(["metrics", "run", "--data", str(frames), "--names", "mig", "r2", "--out", "scores"]) == 0
    assert "red" in (own_module / "scores/table.md").read_text()
    record = json.loads((own_module / "run/config.json").read_text())["config"]["see"]["vae"]
    assert (record["source"], record["size"], record["order"]) == ("my_nets:pooled", [32, 32], "bgr")
    assert (record["mean"], record["std"]) == ([0.0], [1.0])
    probes = json.loads((own_module / "run/probes.json").read_text())
    assert probes["latents"] == 6
    assert probes["reconstruction"] == {}
    assert not (own_module / "run/traversals.png").exists()


def test_an_object_is_an_encoder_whose_codes_are_its_outputs(shown, own_module):
    config = frozen(MEANS).change(held_out=0.5)
    probed = Images(shown["images"], {"red": shown["red"], "x": shown["x"]})
    encoder = vision.train_encoder(config, probed, own_module / "run", 0)
    model = vision.load(encoder)
    expected = shown["images"].mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(encode_images(model, shown["images"]), expected, atol=1e-6)
    codes = encode_images(model, shown["images"], normalize=True)
    np.testing.assert_allclose(codes[:, 0].std(), 1, atol=0.1)
    probes = json.loads((encoder.folder / "probes.json").read_text())
    assert probes["red"]["linear"] > 0.999
    assert probes["x"]["linear"] < 0.1  # the mean of a channel does not say where the square is
    # The same object again, in another process for instance, is the same encoder.
    again = frozen(MEANS).change(held_out=0.5)
    assert vision.train_encoder(again, probed, own_module / "run", 0).digest == encoder.digest


def test_an_object_that_this_process_does_not_have_is_asked_for(frames, own_module, monkeypatch):
    encoder = darla.see(frames, own_module / "run", frozen(MEANS))
    monkeypatch.setattr("darla.vision.models.frozen_network._objects", {})
    with pytest.raises(InputError, match="given as an object, which this process does not have"):
        vision.load(encoder.folder)
    darla.see(frames, own_module / "run", frozen(MEANS))
    assert vision.load(encoder.folder).latent_dim == 3


def test_images_are_prepared_as_declared(shown, own_module, frames):
    images, means = shown["images"], shown["images"].mean(axis=(1, 2)) / 255

    def codes(**options):
        folder = own_module / json.dumps(options, sort_keys=True).translate(str.maketrans("", "", '"{}[]:, '))
        return encode_images(vision.load(darla.see(frames, folder, frozen(MEANS, **options))), images)

    mean, std = (0.5, 0.25, 0.1), (0.2, 0.3, 0.4)
    np.testing.assert_allclose(codes(mean=mean, std=std), (means - mean) / std, atol=1e-5)
    np.testing.assert_allclose(codes(order="bgr", mean=mean), means[:, ::-1] - mean, atol=1e-5)
    gray = means @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(codes(order="gray")[:, 0], gray, atol=1e-5)
    # The mean of an image that is halved without overlap is its own mean.
    np.testing.assert_allclose(codes(size=(16, 16)), means, atol=5e-3)
    corner = images[:, ::2, ::2].mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(codes(size=(16, 16), interpolation="nearest"), corner, atol=1e-5)


def test_images_of_one_and_of_four_channels_are_read_by_a_network_of_three(own_module, shown):
    for channels in (1, 4):
        images = np.repeat(shown["images"][..., :1], channels, axis=3)
        encoder = vision.train_encoder(frozen(MEANS, order="rgb"), Images(images), own_module / f"run{channels}", 0)
        codes = encode_images(vision.load(encoder), images)
        np.testing.assert_allclose(codes, (images[..., 0].mean(axis=(1, 2)) / 255)[:, None].repeat(3, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("source", "latents"), [("my_nets:OldStyle", 5), ("my_nets:Pair", 3), ("my_nets:made", 3), ("my_nets:pooled", 24)]
)
def test_functions_classes_modules_and_pairs_come_back_from_disk_as_they_were(source, latents, frames, shown):
    encoder = darla.see(frames, "run", source, seed=3)
    first, again = vision.load(encoder), vision.load("run")
    codes = encode_images(first, shown["images"][:20])
    assert codes.shape == (20, latents)
    np.testing.assert_array_equal(encode_images(again, shown["images"][:20]), codes)
    if source == "my_nets:Pair":
        inputs = first.to_input(shown["images"][:20])
        np.testing.assert_allclose(first.encode(inputs).log_variance, -inputs.std((2, 3)))
    if source == "my_nets:pooled":  # weights at random come from the seed
        other = encode_images(vision.load(darla.see(frames, "other", source, seed=4)), shown["images"][:20])
        assert not np.allclose(other, codes)


def test_a_network_that_was_altered_since_is_noticed(frames, own_module, monkeypatch):
    # Python takes a module of the same size and second for the one that it has compiled.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    darla.see(frames, "run", "my_nets:pooled")
    vision.load("run")
    module = own_module / "my_nets.py"
    module.write_text(NETS.replace("nn.ReLU(), nn.AdaptiveAvgPool2d(side)", "nn.Tanh(), nn.AdaptiveAvgPool2d(side)"))
    monkeypatch.delitem(sys.modules, "my_nets")
    with pytest.raises(
        ArtefactError, match="run cannot be used: my_nets:pooled is not the network that it was made with"
    ):
        vision.load("run")
    module.write_text(NETS.replace("nn.Conv2d(3, 6, 3", "nn.Conv2d(3, 7, 3"))
    monkeypatch.delitem(sys.modules, "my_nets")
    with pytest.raises(ArtefactError, match="has shape"):
        vision.load("run")
    module.unlink()
    monkeypatch.delitem(sys.modules, "my_nets")
    with pytest.raises(InputError, match="there is no module 'my_nets'"):
        vision.load("run")


def test_weights_come_from_a_file_of_tensors_and_nothing_is_unpickled(frames, own_module, shown):
    torch.manual_seed(1)
    trained = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()).eval()
    save_tensors(own_module / "w.safetensors", trained.state_dict())
    torch.save({"state_dict": trained.state_dict()}, own_module / "w.pth")
    torch.save(trained, own_module / "whole.pth")
    save_tensors(own_module / "other.safetensors", {"0.weight": torch.zeros(6, 3, 3, 3)})
    images = torch.from_numpy(shown["images"][:10]).permute(0, 3, 1, 2) / 255
    for name in ("w.safetensors", "w.pth"):
        encoder = darla.see(frames, own_module / f"run-{name}", frozen("my_nets:pooled", weights=name))
        codes = encode_images(vision.load(encoder), shown["images"][:10])
        np.testing.assert_allclose(codes, trained(images).detach().numpy(), atol=1e-5)
        assert len(encoder.config["see"]["vae"]["weights_sha256"]) == 64
    (own_module / "w.safetensors").unlink()
    vision.load(own_module / "run-w.safetensors")  # the artefact has the weights
    for name, sentence in (
        ("whole.pth", "whole.pth cannot be read as plain tensors"),
        ("other.safetensors", "other.safetensors does not fit my_nets:pooled: it lacks the tensor '0.bias'"),
        ("none.pth", "weights is 'none.pth', but there is no such file"),
    ):
        with pytest.raises(InputError, match=sentence):
            darla.see(frames, own_module / "refused", frozen("my_nets:pooled", weights=name))
    assert not (own_module / "refused").exists()


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        ("my_nets:Odd", {}, r"returns shape \(8, 3, 32, 32\) for 8 images, but \(8, D\) is needed"),
        ("my_nets:Odd", {"arguments": {"kind": "dict"}}, "returns dict, but codes"),
        ("my_nets:Odd", {"arguments": {"kind": "random"}}, "two codes for one image"),
        ("my_nets:Odd", {"arguments": {"kind": "nan"}}, "codes that are not finite"),
        ("my_nets:Odd", {"arguments": {"kind": "none"}}, r"failed on images \(3, 32, 32\): KeyError.*my_nets.py, line"),
        ("my_nets:Odd", {"arguments": {"sort": 1}}, "cannot be made: TypeError"),
        ("my_nets:made", {"arguments": {"sort": 1}}, "arguments would be ignored"),
        ("my_nets:number", {}, "my_nets:number is int, but a torch.nn.Module"),
        ("my_nets:pooled", {"mean": (0.1, 0.2)}, "mean has 2 numbers, but the network reads 3 channels"),
        ("my_nets:pooled", {"order": "grey"}, "did you mean 'gray'"),
        ("my_nets:pooled", {"std": (0.0,)}, "std above 0"),
        ("my_nets:pooled", {"weights": "pretrained"}, "weights 'pretrained' are those of timm"),
    ],
)
def test_what_is_no_encoder_is_refused_and_nothing_is_written(source, options, sentence, frames, own_module):
    with pytest.raises(InputError, match=sentence):
        darla.see(frames, own_module / "run", frozen(source, **options))
    assert not (own_module / "run").exists()


def test_a_frozen_network_is_not_trained(frames, own_module):
    config = frozen("my_nets:pooled").change(training__steps=5)
    with pytest.raises(InputError, match=r"used as it is: training\.steps must be 0"):
        darla.see(frames, own_module / "run", config)
    with pytest.raises(InputError, match=r"a torch.nn.Module or an import path, not \[\]"):
        frozen([])
    with pytest.raises(InputError, match=r"make one with: darla see FRAMES --encoder my_nets:pooled"):
        darla.act("new_room", own_module / "agent", encoder="my_nets:pooled")


def test_a_selection_ranks_frozen_networks_beside_trained_models(frames, own_module):
    tiny = vision.SeeConfig().change(latent_dim=4, training__steps=4, training__batch_size=16, training__log_every=2)
    settings = {"pooled": frozen("my_nets:pooled"), "beta": tiny}
    ranking = darla.select(frames, own_module / "selection", settings, seeds=(0, 1), workers=1)
    table = (ranking.folder / "table.md").read_text()
    assert "pooled" in table
    listed = json.loads((ranking.folder / "selection.json").read_text())["candidates"]
    assert {each["name"]: each["mean_squared_error"] is None for each in listed} == {"pooled": True, "beta": False}


@timm
def test_a_network_of_timm_has_its_published_preprocessing_and_weights_of_a_file(frames, own_module, shown, capsys):
    import timm

    torch.manual_seed(0)
    whole = timm.create_model("resnet10t", pretrained=False, num_classes=7).eval()
    save_tensors(own_module / "resnet10t.safetensors", whole.state_dict())  # with its classifier, as published files
    words = ["--encoder", "timm:resnet10t", "--vae.weights", "resnet10t.safetensors", "--vae.size", "48", "48"]
    assert main(["see", str(frames), *words, "--out", "run"]) == 0, capsys.readouterr().err
    record = json.loads((own_module / "run/config.json").read_text())["config"]["see"]["vae"]
    assert (record["order"], record["size"]) == ("rgb", [48, 48])
    np.testing.assert_allclose(record["mean"], timm.data.IMAGENET_DEFAULT_MEAN)
    images = torch.from_numpy(shown["images"][:4]).permute(0, 3, 1, 2) / 255
    images = nn.functional.interpolate(images, (48, 48), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values)[:, None, None] for values in (record["mean"], record["std"]))
    whole.reset_classifier(0)
    expected = whole((images - mean) / std).detach().numpy()
    np.testing.assert_allclose(encode_images(vision.load("run"), shown["images"][:4]), expected, atol=1e-4)
    assert vision.SeeConfig.from_dict(frozen("timm:resnet10t").to_dict()) == frozen("timm:resnet10t")
    with pytest.raises(InputError, match="unknown network of timm 'resnet10'; did you mean 'resnet1"):
        darla.see(frames, own_module / "refused", "timm:resnet10")


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_a_torchvision_of_another_build_is_told_with_what_to_install(frames, own_module, monkeypatch):
    (own_module / "timm.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    monkeypatch.syspath_prepend(own_module)
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=r"torchvision was built for another PyTorch than .* pip install --force"):
        darla.see(frames, own_module / "run", "timm:resnet18")


def test_what_is_missing_for_timm_is_named(frames, own_module):
    with pytest.raises(
        InputError, match=r"networks of timm need the package timm; install it with: pip install 'darla"
    ):
        darla.see(frames, own_module / "run", "timm:resnet18")

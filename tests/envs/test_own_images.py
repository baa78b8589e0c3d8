"""Images that users have, in every form: folders, arrays, files of arrays; sizes, channels and tables of factors."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from darla.common import InputError
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images
from darla.envs.frames.own_images import ImageOptions, is_own_images, open_images, require_readable

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (12, 16, 24, 3), dtype=np.uint8)
GRAY, RGBA = COLOR[..., :1], np.concatenate([COLOR, COLOR[..., :1]], axis=-1)


def all_of(source: Any, **options: Any) -> np.ndarray:
    opened = open_images(source, ImageOptions(**options))
    return opened.read(0, opened.count)


def written(folder: Path, images: np.ndarray, suffix: str = ".png") -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(folder / f"frame{number}{suffix}")
    return folder


@pytest.mark.parametrize("images", [GRAY, COLOR, RGBA], ids=["gray", "RGB", "RGBA"])
def test_folder_array_and_files_are_the_same_images_of_any_channels(images: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", pictures=images, count=3, latents=np.zeros((12, 2)))
    sources: list[Any] = [images, written(tmp_path / "png", images), tmp_path / "a.npy", tmp_path / "b.npz"]
    sources += [str(tmp_path / "b.npz") + ":pictures", images.transpose(0, 3, 1, 2)]
    for source in sources:
        assert np.array_equal(all_of(source), images), source
    assert np.array_equal(all_of(images[..., 0]), images[..., :1])


def test_a_data_set_of_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["group/images"], file["labels"] = COLOR, np.arange(12)
    for source in (tmp_path / "c.h5", f"{tmp_path / 'c.h5'}:group/images"):
        assert np.array_equal(all_of(source), COLOR)


def test_hdf5_is_told_what_it_needs_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "a.h5").write_bytes(b"\x89HDF")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"needs h5py: pip install 'darla\[data\]'"):
        open_images(tmp_path / "a.h5")


def test_a_tensor_of_pytorch_is_an_array() -> None:
    import torch

    assert np.array_equal(all_of(torch.from_numpy(COLOR).permute(0, 3, 1, 2)), COLOR)


def test_numbers_in_names_are_numbers_and_folders_are_searched(tmp_path: Path) -> None:
    folder = written(tmp_path / "pictures", COLOR)
    opened = open_images(folder)
    assert opened.names == tuple(f"frame{number}.png" for number in range(12))  # and not 0, 1, 10, 11, 2, ...
    (folder / "deeper").mkdir()
    (folder / "frame3.png").rename(folder / "deeper" / "frame3.png")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.png").write_bytes(b"no image")
    assert open_images(folder).names is not None
    assert "deeper/frame3.png" in open_images(folder).names  # type: ignore[operator]


@pytest.mark.parametrize("side", [(84, 84), (210, 160), (60, 80), (56, 56), (16, 16)], ids=str)
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_any_size_is_read_by_an_option_that_says_how(side: tuple[int, int], fit: str, tmp_path: Path) -> None:
    images = np.full((3, *side, 3), 100, np.uint8)
    frames = FrameSet(frames_from_images(images, tmp_path / "f", options=ImageOptions(resize=(64,), fit=fit)))
    assert frames.image_shape == (64, 64, 3)
    borders = (fit == "pad" and side[0] != side[1]) or (fit == "pad" and side[0] < 64)
    assert (frames[:].min() == 0) == borders
    assert frames.artefact.config["images"] == {"resize": [64, 64], "fit": fit}


def test_files_of_different_sizes_get_one(tmp_path: Path) -> None:
    folder = written(tmp_path / "pictures", COLOR)
    Image.fromarray(COLOR[0].repeat(2, axis=0)).save(folder / "tall.png")
    with pytest.raises(InputError, match=r"tall.png is 32 x 24 .* one size, which resize gives them"):
        open_images(folder)
    assert all_of(folder, resize=(32, 32)).shape == (13, 32, 32, 3)


def test_channels_are_kept_or_changed_and_never_guessed(tmp_path: Path) -> None:
    folder = written(tmp_path / "pictures", COLOR)
    gray = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in COLOR])[..., None]
    assert np.array_equal(all_of(folder, channels=1), gray)
    assert np.array_equal(all_of(COLOR, channels=1), gray)
    assert np.array_equal(all_of(RGBA, channels=3), COLOR)
    assert (all_of(COLOR, channels=4)[..., 3] == 255).all()
    assert np.array_equal(all_of(GRAY, channels=3), GRAY.repeat(3, axis=-1))
    Image.fromarray(RGBA[0]).save(folder / "with_alpha.png")
    with pytest.raises(InputError, match=r"with_alpha.png has 4 channels, but .* has 3; .* channels gives them"):
        open_images(folder)
    assert all_of(folder, channels=3).shape == (13, 16, 24, 3)


def test_a_photograph_is_turned_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    Image.fromarray(COLOR[0]).save(tmp_path / "photos" / "a.png", exif=exif)
    assert np.array_equal(all_of(tmp_path / "photos")[0], np.rot90(COLOR[0], -1))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (COLOR / 255.0, r"float64 .* run from 0 to 1: \(255 \* images\).round\(\).astype\('uint8'\)"),
        (COLOR.astype(np.float32), r"float32 .* to 255: images.round\(\).astype\('uint8'\)"),
        (COLOR / 127.5 - 1, r"run from -1 to 1: \(127.5 \* \(images \+ 1\)\).round"),
        (COLOR.astype(np.int64) * 10, "int64 .* scale them first"),
        (COLOR > 100, r"bool .*: 255 \* images.astype\('uint8'\)"),
        (np.full((2, 16, 16, 3), np.nan), "some are not finite"),
        (COLOR[0, 0], "must be"),
        (COLOR[..., :2], "1, 3 or 4 channels"),
        (COLOR[:0], "N at least 1"),
        (np.array(["a"]), "must be uint8"),
        (torch.eye(4).to_sparse(), "which is no array"),
        (torch.ones(4, requires_grad=True), "which is no array"),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "which is no array"),
        ([[1], [1, 2]], "which is no array"),
        (COLOR // 255, "hold only 0 and 1, which is nearly black"),
    ],
)
def test_what_is_no_image_is_refused_with_what_to_do(images: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        frames_from_images(images, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_unpickled_and_nobody_is_told_to(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (tmp_path / "ran").touch, ()

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=np.array([Trap()], object))
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(InputError) as error:
            open_images(tmp_path / name)
        assert "allow_pickle" not in str(error.value)
        assert name != "a.npy" or "holds Python objects, which darla does not read" in str(error.value)
        with pytest.raises(InputError):
            frames_from_images(COLOR, tmp_path / "out", factors=tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=COLOR, b=COLOR)
    for source, sentence in (
        (tmp_path / "nothing", "does not exist"),
        (tmp_path, "holds no image files"),
        (str(tmp_path / "two.npz"), r"has 2 arrays that can be images; it holds a \(12, .*two.npz:a"),
        (f"{tmp_path / 'two.npz'}:c", "unknown array"),
    ):
        with pytest.raises(InputError, match=sentence):
            open_images(source)
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"x.mp4 cannot be read as images: known are .npy"):
        open_images(tmp_path / "x.mp4")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"x.npy is damaged"):
        open_images(tmp_path / "x.npy")
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(tmp_path / "deep" / "a.png")
    with pytest.raises(InputError, match="more than 8 bits"):
        open_images(tmp_path / "deep")


def test_sizes_that_encoders_do_not_read_are_refused_with_those_that_they_do() -> None:
    require_readable(open_images(np.zeros((1, 64, 16, 3), np.uint8)))
    with pytest.raises(InputError, match=r"84 x 84 .* --resize 80 80, or --resize 96 96 with fit pad"):
        require_readable(open_images(np.zeros((1, 84, 84, 3), np.uint8)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fit": "pads", "resize": (64,)}, "did you mean 'pad'"),
        ({"fit": "pad"}, "would be ignored"),
        ({"resize": (1, 2, 3)}, "height and width"),
        ({"resize": (0,)}, "height and width"),
        ({"channels": 2}, "channels is 2"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ImageOptions(**options)


def test_an_artefact_is_not_taken_for_images(tmp_path: Path) -> None:
    assert is_own_images(COLOR)
    assert is_own_images(written(tmp_path / "pictures", COLOR))
    assert not is_own_images(frames_from_images(COLOR, tmp_path / "frames").folder)
    assert not is_own_images(str(tmp_path / "nothing"))


COLUMNS = {"x": list(range(12)), "hue": [n / 12 for n in range(12)], "shape": ["ab"[n % 2] for n in range(12)]}


def factors_of(source: Any, images: Any, out: Path) -> dict[str, list[Any]]:
    frames = FrameSet(frames_from_images(images, out, factors=source))
    return {name: values.tolist() for name, values in frames.contexts.items()}


def test_a_table_names_its_files_or_is_in_their_order(tmp_path: Path) -> None:
    folder = written(tmp_path / "pictures", COLOR)
    rows = [(number, *(column[number] for column in COLUMNS.values())) for number in range(12)]
    shuffled = [rows[number] for number in RNG.permutation(12)]
    plain, by_name, by_stem, other = (tmp_path / f"{name}.csv" for name in ("plain", "by_name", "by_stem", "other"))
    plain.write_text("\n".join(["x,hue,shape", *(f"{x},{hue},{shape}" for _, x, hue, shape in rows)]))
    lines = [f"frame{number}.png;{x};{hue};{shape}" for number, x, hue, shape in shuffled]
    by_name.write_text("\n".join(["\ufefffile;x;hue;shape", *lines, "frame99.png;1;2;c", ""]))
    by_stem.write_text("\n".join(["x,id,hue,shape", *(f"{x},frame{n},{hue},{s}" for n, x, hue, s in shuffled)]))
    other.write_text("\n".join(["x,hue,shape,level", *(f"{x},{hue},{s},{n % 3}" for n, x, hue, s in rows)]))
    for number, table in enumerate((plain, by_name, by_stem)):
        assert factors_of(table, folder, tmp_path / f"out{number}") == COLUMNS
    assert factors_of(other, folder, tmp_path / "out3") == {**COLUMNS, "level": [n % 3 for n in range(12)]}
    assert factors_of(plain, COLOR, tmp_path / "out4") == COLUMNS


def test_tables_of_numpy(tmp_path: Path) -> None:
    table = np.array(list(zip(*COLUMNS.values(), strict=True)), [("x", int), ("hue", float), ("shape", "U1")])
    np.save(tmp_path / "named.npy", table)
    np.save(tmp_path / "numbers.npy", np.stack([COLUMNS["x"], COLUMNS["hue"]], axis=1))
    np.savez(tmp_path / "all.npz", imgs=COLOR, **COLUMNS, other=np.zeros(3))
    assert factors_of(tmp_path / "named.npy", COLOR, tmp_path / "a") == COLUMNS
    numbered = factors_of(tmp_path / "numbers.npy", COLOR, tmp_path / "b")
    assert numbered == {"factor 0": [float(n) for n in COLUMNS["x"]], "factor 1": COLUMNS["hue"]}
    assert factors_of(tmp_path / "all.npz", f"{tmp_path / 'all.npz'}:imgs", tmp_path / "c") == COLUMNS


def test_a_table_of_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["images"], file["labels"] = COLOR, np.arange(24).reshape(12, 2)
    made = factors_of(f"{tmp_path / 'all.h5'}:labels", tmp_path / "all.h5", tmp_path / "out")
    assert made == {"factor 0": list(range(0, 24, 2)), "factor 1": list(range(1, 24, 2))}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("x\n1\n", "has 1 rows, but there are 12 images"),
        ("1,2\n" * 13, "first line .* must name the factors"),
        ("x,x\n" + "1,2\n" * 12, "different names"),
        ("x,y\n" + "1,2\n" * 11 + "1\n", "line 13 .* has 1 values, but there are 2 columns"),
        ("x,y\n" + "1,2\n" * 11 + "1,\n", "'y' is missing in line 13"),
        ("x\n" + "1\n" * 11 + "nan\n", "'x' is nan"),
        ("file,x\n" + "".join(f"frame{n}.png,1\n" for n in range(11)), "no row whose 'file' is frame11.png"),
        ("file,x\n" + "".join(f"frame{n % 12}.png,1\n" for n in range(13)), "two rows with the same 'file'"),
    ],
)
def test_tables_that_cannot_be_used(text: str, sentence: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "pictures", COLOR)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        frames_from_images(folder, tmp_path / "out", factors=tmp_path / "t.csv")
    assert not (tmp_path / "out").exists()

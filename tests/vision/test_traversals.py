import numpy as np
import torch
from PIL import Image

from darla.vision import DAE, BetaVAE, BetaVAEConfig, DAEConfig
from darla.vision.encoders.traversals import (
    animate,
    grid,
    reconstruct,
    to_uint8,
    traversal_rows,
    traverse,
    write_gif,
    write_png,
)
from darla.vision.training.monitor import code_statistics

SHAPE = (16, 16, 3)


def model() -> BetaVAE:
    torch.manual_seed(0)
    return BetaVAE(BetaVAEConfig(latent_dim=4), None, SHAPE).eval()


def test_rows_are_sorted_by_falling_kl(images):
    result = traverse(model(), images[:1], np.array([0.1, 3.0, 0.0, 2.0]), latents=3)
    assert result.latents == [1, 3, 0]
    assert result.kl == [3.0, 2.0, 0.1]
    assert result.images.shape == (3, 9, *SHAPE)


def test_a_row_moves_its_latent_and_no_other(images):
    vae = model()
    result = traverse(vae, images[:1], np.array([0.0, 0.0, 5.0, 0.0]), latents=1, values=5)
    assert result.values == [[-2.5, -1.25, 0.0, 1.25, 2.5]]
    code = vae.encode(images[:1]).mean.detach()
    for image, value in zip(result.images[0], result.values[0], strict=True):
        code[0, 2] = value
        assert np.array_equal(image, to_uint8(vae.decode(code))[0])


def test_images_round_to_the_nearest_gray_level():
    values = torch.tensor([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 2.0]).reshape(6, 1, 1, 1)
    assert to_uint8(values).flatten().tolist() == [0, 0, 0, 1, 255, 255]


def test_reconstructions_show_what_there_is_to_compare(images):
    assert [name for name, _ in reconstruct(model(), images)] == ["image", "decoded"]
    dae = DAE(DAEConfig(bottleneck=8), SHAPE).eval()
    assert [name for name, _ in reconstruct(dae, images)] == ["image", "DAE", "corrupted", "repaired"]


def test_a_long_label_of_many_lines_is_not_cut(images):
    images = to_uint8(images)
    label = "\n".join(["object=office_chair, as a label"] * 4)
    canvas = grid([(label, images[:1]), ("second", images[:1])])
    written = canvas.min(axis=2) < 128
    written[:, canvas.shape[1] - images.shape[2] - 4 :] = False
    rows, columns = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    assert rows[0] > 0
    assert rows[-1] < canvas.shape[0] - 1
    assert columns[0] > 0
    assert columns[-1] < canvas.shape[1] - images.shape[2] - 4  # it ends before the images begin
    assert len(rows) > 4 * 10  # four lines, none over another


def test_a_grid_holds_every_image(images):
    images = to_uint8(images)
    canvas = grid([("first", images), ("second", images[:2])], scale=2)
    assert canvas.dtype == np.uint8
    assert canvas.shape[0] >= 2 * 32
    assert canvas.shape[1] >= 6 * 32
    corner = np.lib.stride_tricks.sliding_window_view(canvas, (32, 32, 3))[:, :, 0]
    enlarged = images[5].repeat(2, axis=0).repeat(2, axis=1)
    assert (corner == enlarged).all(axis=(2, 3, 4)).any()


def test_png_files_are_the_same_bytes_each_time(images, tmp_path):
    image = grid(traversal_rows(traverse(model(), images[:1], np.ones(4))))
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, image)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)


def test_traversal_movies_go_through_the_range_and_back(images, tmp_path):
    result = traverse(model(), images[:1], np.array([0.0, 3.0, 1.0, 0.0]), values=5, latents=3)
    frames = animate(result, columns=2, scale=1)
    assert len(frames) == 8  # 0 1 2 3 4 3 2 1
    assert np.array_equal(frames[1], frames[7])
    assert any(np.array_equal(result.images[2, 4], part) for part in tiles(frames[4]))
    write_gif(tmp_path / "moves.gif", frames)
    with Image.open(tmp_path / "moves.gif") as shown:
        assert shown.n_frames == 8
        assert shown.info["loop"] == 0


def tiles(canvas):
    """Every window of a canvas that has the size of an image."""
    return np.lib.stride_tricks.sliding_window_view(canvas, SHAPE)[:, :, 0].reshape(-1, *SHAPE)


def test_active_units_are_those_whose_mean_moves(images):
    vae = model()
    with torch.no_grad():
        vae.encoder.head.weight[:4] *= 3000
        vae.encoder.head.weight[2] = 0
    kl, variance = code_statistics(vae, [images])
    assert kl.shape == variance.shape == (4,)
    assert (variance > 0.01).tolist() == [True, True, False, True]

"""Concepts by the command line, on sprites: learned, imagined, combined, described and measured."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import darla
from darla.cli import main as cli
from darla.common import Artefact, ArtefactError
from darla.common.files import read_json, write_json
from darla.envs.image_data.registry import image_data
from darla.envs.image_data.sprites import Sprites
from darla.learn_concepts import ConceptScoresConfig, JudgeConfig, score_concepts, train_judge
from darla.reports.sections.concepts import score_blocks
from darla.vision import SeeConfig
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.training.config import TrainingConfig

QUICK = TrainingConfig(steps=4, batch_size=8, log_every=2, checkpoint_every=2, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("concepts")
    frames = _frames(folder)
    see = SeeConfig().change(latent_dim=4, training=QUICK, statistics_frames=32)
    darla.see(frames, folder / "encoder", see)
    config = ConceptsConfig(concepts=8, images=2, held_out=6, training=QUICK, operators=QUICK)
    darla.associate(folder / "encoder", folder / "scan", config)
    return folder


def _frames(folder: Path) -> Path:
    assert cli.main(["collect", "sprites", "--frames", "64", "--out", str(folder / "frames")]) == 0
    return folder / "frames"


def test_attributes_are_the_factors_of_the_data(runs: Path) -> None:
    named = read_json(runs / "scan" / "concepts.json")
    assert len(named["train"]) == 8
    assert len(named["held_out"]) == 6
    words = {word.split("=")[0] for text in named["train"] for word in text.split()}
    assert words <= set(Sprites().factor_names)


def test_a_sheet_is_written_and_is_the_same_again(runs: Path, tmp_path: Path) -> None:
    name = Sprites().factor_names[0]
    words = ["concepts", "imagine", str(runs / "scan"), f"{name}=0", "--count", "14"]
    assert cli.main([*words, "--out", str(tmp_path / "a.png")]) == 0
    assert cli.main([*words, "--out", str(tmp_path / "b.png")]) == 0
    first, second = (np.asarray(Image.open(tmp_path / each)) for each in ("a.png", "b.png"))
    np.testing.assert_array_equal(first, second)
    assert first.shape[0] > 2 * 64  # 14 images in two rows
    words.insert(4, f"{name}=1")
    assert cli.main([*words, "--out", str(tmp_path / "c.png")]) == 0
    both = np.asarray(Image.open(tmp_path / "c.png"))
    assert both.shape[0] > 4 * 64
    assert cli.main([*words[:3], "--out", str(tmp_path / "d.png")]) == 2


def test_an_operator_is_shown_beside_what_it_combines(runs: Path, tmp_path: Path) -> None:
    first, second, *_ = Sprites().factor_names
    words = ["concepts", "combine", str(runs / "scan"), f"{first}=0", "AND", f"{second}=1"]
    assert cli.main([*words, "--out", str(tmp_path / "a.png"), "--count", "3"]) == 0
    assert np.asarray(Image.open(tmp_path / "a.png")).shape[0] > 3 * 64


def test_an_instruction_is_shown_beside_both_of_its_sides(runs: Path, tmp_path: Path) -> None:
    run = str(runs / "scan")
    for name, words in {
        "whole": ["EXCEPT shape=0"],
        "nested": ["(scale=1 EXCEPT shape=0) AND (position_x=3)"],
        "three": ["scale=1", "EXCEPT", "shape=0"],
    }.items():
        sheet = str(tmp_path / f"{name}.png")
        assert cli.main(["concepts", "combine", run, *words, "--out", sheet, "--count", "3"]) == 0
        assert 3 * 64 < np.asarray(Image.open(sheet)).shape[0] < 4 * 64
    sheets = [str(tmp_path / f"{name}.png") for name in ("operator", "value")]
    for text, sheet in zip(("EXCEPT shape=0", "shape!=0"), sheets, strict=True):
        assert cli.main(["concepts", "imagine", run, text, "--out", sheet, "--count", "3"]) == 0
    first, second = (np.asarray(Image.open(sheet))[:, -3 * 64 :] for sheet in sheets)
    np.testing.assert_array_equal(first, second)  # two ways to write one concept


def test_an_image_is_described_with_probabilities(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = image_data("sprites").render(np.zeros((1, len(Sprites().factor_names)), np.int64))[0]
    Image.fromarray(pixels.squeeze()).save(tmp_path / "image.png")
    assert cli.main(["concepts", "describe", str(runs / "scan"), str(tmp_path / "image.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(Sprites().factor_names)


def test_scores_are_written_for_symbols_and_operators(runs: Path, tmp_path: Path) -> None:
    judge = train_judge("sprites", tmp_path / "judge", JudgeConfig(images=40, held_out=10, training=QUICK))
    config = ConceptScoresConfig(images=6, concepts=8, samples=2)
    scores = score_concepts(runs / "scan", judge, tmp_path / "scores", config)
    results = read_json(scores.folder / "scores.json")
    groups = set(results["sym2img"])
    assert {"symbol, train", "symbol, held_out", "AND, train", "EXCEPT, train", "EXCEPT, held_out"} <= groups
    for name, score in results["sym2img"].items():
        assert 0 <= score["accuracy"] <= 1
        assert 1 / 40 <= score["chance"] <= 31 / 32
        assert (score["excluded"] is not None) == name.startswith("EXCEPT")
    excluding = results["sym2img"]["EXCEPT, train"]
    assert 0 <= excluding["excluded"] <= 1
    assert 2 / 3 <= excluding["excluded_chance"] <= 31 / 32
    printed = (scores.folder / "table.md").read_text(encoding="utf-8")
    assert "| accuracy | chance |" in printed
    assert f"| {excluding['excluded']:.3f} (chance {excluding['excluded_chance']:.3f}) |" in printed
    assert set(results["judge"]) == set(results["ceiling"]) == set(results["img2sym"]) == set(Sprites().factor_names)
    page = darla.report([scores.folder], tmp_path / "report").folder / "report.md"
    assert "# Concepts" in page.read_text(encoding="utf-8")
    assert "| symbol, held out " in page.read_text(encoding="utf-8")
    for part in ("sym2img", "ceiling", "judge"):
        altered = replace(scores, folder=Path(shutil.copytree(scores.folder, tmp_path / f"altered-{part}")))
        first = next(iter(results[part]))
        write_json(altered.folder / "scores.json", {**results, part: {**results[part], first: "x"}})
        with pytest.raises(ArtefactError, match=r"scores\.json is damaged"):
            score_blocks(altered)  # as if its hashes had been renewed
    again = score_concepts(runs / "scan", judge, tmp_path / "again", config)
    assert (again.folder / "scores.json").read_bytes() == (scores.folder / "scores.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [("train", 3, "concepts"), ("train", ["shape"], "concepts"), ("shape", "x", "judge"), ("", 4, "judge")],
)
def test_files_of_another_form_are_named(name: str, value: object, part: str, runs: Path, tmp_path: Path) -> None:
    judge = train_judge("sprites", tmp_path / "judge", JudgeConfig(images=40, held_out=10, training=QUICK))
    folder = {"concepts": runs / "scan", "judge": judge.folder}[part]
    copied = shutil.copytree(folder, tmp_path / "copied")
    path = copied / {"concepts": "concepts.json", "judge": "scores.json"}[part]
    content = read_json(path)
    write_json(path, {**content, name: value} if name else value)
    opened = Artefact.load(folder)
    altered = replace(opened, folder=copied)  # as if its hashes had been renewed
    run, by = (altered, judge) if part == "concepts" else (runs / "scan", altered)
    with pytest.raises(ArtefactError, match=rf"{path.name} is damaged"):
        score_concepts(run, by, tmp_path / "scores", ConceptScoresConfig(images=2, concepts=1, samples=1))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["concepts", "imagine", "RUN", "shap=0", "--out", "a.png"], "unknown attribute 'shap'; did you mean 'shape'?"),
        (["concepts", "imagine", "RUN", "shape=0", "--out", "a.jpg"], "must end in .png"),
        (["concepts", "imagine", "RUN", "shape=0 shape=1", "--out", "a.png"], "specifies attribute 'shape' twice"),
        (
            ["concepts", "combine", "RUN", "shape=0", "AND", "shape=1", "--out", "a.png"],
            "AND needs concepts",
        ),
        (["concepts", "combine", "RUN", "shape=0", "OR", "shape=1", "--out", "a.png"], "unknown operator 'OR'"),
        (["concepts", "combine", "RUN", "shape=0", "AND", "--out", "a.png"], "2 words were given; write CONCEPT"),
        (["concepts", "combine", "RUN", "shape=0", "--out", "a.png"], "'shape=0' combines nothing"),
        (["concepts", "combine", "RUN", "EXCEPT shape=0 scale=1", "--out", "a.png"], "one value of one attribute"),
        (["concepts", "combine", "RUN", "shape=0", "EXCEPT", "shape=1", "--out", "a.png"], "already has 'shape=0'"),
        (["concepts", "imagine", "RUN", "shape=0 AND shape=1", "--out", "a.png"], "AND needs concepts"),
        (["concepts", "imagine", "RUN", "shape!=7", "--out", "a.png"], "value of attribute 'shape'"),
        (["concepts", "describe", "RUN", "nothing.png"], "could not read the image nothing.png: No such file"),
        (["concepts", "imagine", "RUN", "shape=0", "--seed", "-1", "--out", "a.png"], "seed is -1"),
        (
            ["concepts", "imagine", "RUN", "shape=0", "--seed", str(2**63), "--out", "a.png"],
            "seed is 9223372036854775808",
        ),
        (["concepts", "imagine", "RUN", "shape=0", "--count", str(2**40), "--out", "a.png"], "not enough memory"),
        (["concepts", "imagin", "RUN"], "unknown verb after `darla concepts`: 'imagin'; did you mean 'imagine'?"),
        (["concepts", "train", "ENCODER", "--method", "scam", "--out", "x"], "unknown method 'scam'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    words: list[str], told: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(runs / "scan"), "ENCODER": str(runs / "encoder")}
    assert cli.main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == []


def test_images_of_a_user_with_a_table_of_attributes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    lines = ["file,paint,size"]
    for number in range(20):
        paint, size = ("red", "green", "blue")[number % 3], ("small", "large")[number // 3 % 2]
        if (paint, size) == ("red", "large"):
            continue  # nobody has images of everything
        pixels = np.zeros((16, 16, 3), np.uint8)
        side = 4 if size == "small" else 10
        pixels[3 : 3 + side, 3 : 3 + side, number % 3] = 255
        Image.fromarray(pixels).save(f"mine/{number:02d}.png")
        lines.append(f"{number:02d}.png,{paint},{size}")
    Path("table.csv").write_text("\n".join(lines) + "\n")
    see = "see mine --factors table.csv --preset beta-1 --vae.latent-dim 4 --training.steps 4 --training.batch-size 4"
    assert cli.main([*see.split(), "--out", "encoder"]) == 0
    learn = (
        "concepts train encoder --data encoder-frames --out scan --held-out 2 --images 3 --steps 4 --operator-steps 4"
    )
    assert cli.main([*learn.split(), "--concepts", "11"]) == 2
    # 3 paints and 2 sizes, alone and together, less the pair of which there is no image.
    assert "more than the 11 there are" in capsys.readouterr().err
    assert cli.main([*learn.split(), "--concepts", "9"]) == 0
    assert "paint=red size=large" not in read_json(Path("scan/concepts.json"))["train"]
    assert cli.main(["concepts", "imagine", "scan", "paint=red size=large", "--out", "sheet.png"]) == 0
    assert cli.main(["concepts", "imagine", "scan", "paint=rde", "--out", "other.png"]) == 2
    assert "did you mean 'red'" in capsys.readouterr().err
    assert cli.main(["concepts", "describe", "scan", "mine/00.png"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()][-2:] == ["paint", "size"]
    assert cli.main(["concepts", "judge", "encoder-frames", "--out", "judge", "--steps", "2"]) == 0
    measure = "concepts measure scan --judge judge --data encoder-frames --out scores --images 4 --concepts 3"
    assert cli.main(measure.split()) == 0


@pytest.mark.slow
def test_the_demonstration_writes_a_page_with_sheets_and_a_table_and_keeps_what_is_done(tmp_path: Path) -> None:
    from darla.experiments.concept_demo import INSTRUCTIONS, SHOWN, concept_demo

    page = concept_demo(tmp_path / "demo", scale=0.003)
    text = page.read_text(encoding="utf-8")
    assert text.count("<img") >= len(SHOWN) + len(INSTRUCTIONS) + 1  # and the agent's film strip
    assert "recombined, target" in text
    assert "AND, held_out" in text  # concepts that specify all, as the few here may, are made by no other operator
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.safetensors")}
    assert concept_demo(tmp_path / "demo", scale=0.003) == page
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.safetensors")}

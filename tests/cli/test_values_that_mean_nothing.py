"""Numbers that are no setting, from the command line: refused at once, by name, and nothing is left behind."""

from pathlib import Path

import pytest

from darla.cli import main as cli
from darla.envs.frames.collect import CollectConfig, collect


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect(CollectConfig(task="sprites", frames=40), tmp_path_factory.mktemp("frames") / "set").folder


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("collect sprites --seed -1", "seed is -1, but must not be negative"),
        ("collect sprites --frames 99999999999999999999", "frames is 99999999999999999999, but must be at most"),
        ("collect sprites --workers 0", "workers is 0, but must be at least 1"),
        ("select FRAMES --workers 0", "workers is 0, but must be at least 1"),
        ("see FRAMES --vae.pixel-std nan", "pixel_std"),
        ("see FRAMES --vae.beta inf", "beta"),
        ("see FRAMES --preset beta-1 --vae.activation nope", "'nope'; known: "),
        ("see FRAMES --training.gradient-clip inf", "gradient_clip"),
        ("see FRAMES --training.learning-rate nan", "learning_rate"),
        ("see FRAMES --training.steps -1", "steps must not be negative, not -1"),
        ("see FRAMES --dae-training.weight-decay -1", "darla see: weight_decay must not be negative, not -1.0"),
        ("see FRAMES --preset beta-1 --dae.bottleneck 0", "bottleneck must be at least 1, not 0"),
        ("act grid-world --settings.gamma nan", "gamma must be between 0 and 1, not nan"),
        ("act grid-world --settings.learning-rate -1", "learning_rate must be positive, not -1.0"),
        ("act grid-world --env-steps 1e400", "--env-steps is '1e400', but must be a whole number"),
        ("transfer grid-world x --confidence 0.9999999999999999", "confidence must lie between 0 and 0.999999"),
        ("transfer grid-world x --resamples 99999999999999999999", "resamples is 99999999999999999999, but must be"),
    ],
)
def test_a_value_that_is_no_setting_is_named_and_nothing_is_written(
    line: str, sentence: str, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(frames) if word == "FRAMES" else word for word in line.split()]
    assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_name_is_no_text_can_be_written(tmp_path: Path) -> None:
    folder = str(tmp_path / "\udcff")
    assert cli.main(["collect", "sprites", "--frames", "4", "--out", folder]) == 0
    assert (Path(folder) / "card.json").is_file()

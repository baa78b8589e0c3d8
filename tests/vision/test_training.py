import csv
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from darla.common import InputError, TrainingDivergedError
from darla.vision import (
    DAE,
    BetaVAE,
    BetaVAEConfig,
    DAEConfig,
    FeatureSpace,
    ImageModel,
    PerceptualConfig,
    TrainingConfig,
    train_model,
)
from darla.vision.training.batches import BatchOrder
from darla.vision.training.loop import build_seeded

SHAPE = (16, 16, 3)
SHORT = TrainingConfig(steps=6, batch_size=16, log_every=3, checkpoint_every=2)


def beta_vae(seed: int = 0) -> BetaVAE:
    return build_seeded(lambda: BetaVAE(BetaVAEConfig(latent_dim=4), None, SHAPE), seed)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first | second)


class Explodes(ImageModel):
    """A loss of one weight that stops being a number at a chosen step."""

    def __init__(self, at: int, where: str) -> None:
        super().__init__(SHAPE)
        self.weight = nn.Parameter(torch.ones(()))
        self.at, self.where, self.calls = at, where, 0

    def loss(self, images, generator=None):
        self.calls += 1
        bad = self.calls == self.at
        pixel = self.weight * (math.nan if bad and self.where == "pixel" else 1.0)
        if bad and self.where == "gradient_norm":
            pixel = pixel + (self.weight - self.weight.detach()).sqrt()  # 0, with an infinite slope
        return {"loss": pixel, "pixel": pixel}


def test_training_lowers_the_loss(frames, tmp_path):
    config = TrainingConfig(steps=150, batch_size=32, log_every=50, learning_rate=3e-3)
    model = build_seeded(lambda: DAE(DAEConfig(bottleneck=8), SHAPE), 0)
    history = train_model(model, frames, config, tmp_path, 0).history
    assert [row["step"] for row in history] == [50, 100, 150]
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(frames, tmp_path):
    found = []
    for run, seed in enumerate((1, 1, 2)):
        model = beta_vae()
        train_model(model, frames, SHORT, tmp_path / str(run), seed)
        found.append(weights(model))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_global_generators_are_left_alone(frames, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_model(beta_vae(), frames, SHORT, tmp_path, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_history_holds_the_means_between_its_rows(frames, tmp_path):
    history = train_model(beta_vae(), frames, SHORT, tmp_path, 0).history
    written = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [float(row["step"]) for row in written] == [3, 6]
    for row, line in zip(history, written, strict=True):
        assert row["loss"] == pytest.approx(row["pixel"] + row["kl"], rel=1e-6)
        assert float(line["loss"]) == pytest.approx(row["loss"], rel=1e-5)


def test_a_history_that_was_damaged_while_the_training_stood_still_is_written_again(frames, tmp_path):
    config = replace(SHORT, checkpoint_every=1)
    train_model(beta_vae(), frames, config, tmp_path, 0)
    whole = (tmp_path / "history.csv").read_bytes()
    (tmp_path / "history.csv").write_text("damaged")
    train_model(beta_vae(), frames, config, tmp_path, 0)
    assert (tmp_path / "history.csv").read_bytes() == whole


def test_a_frozen_part_is_used_but_not_changed(frames, tmp_path):
    perceptual = FeatureSpace(
        build_seeded(lambda: DAE(DAEConfig(bottleneck=8), SHAPE), 1), PerceptualConfig("bottleneck")
    )
    model = build_seeded(lambda: BetaVAE(BetaVAEConfig(latent_dim=4, loss="perceptual"), perceptual, SHAPE), 0)
    before = weights(perceptual)
    train_model(model, frames, SHORT, tmp_path, 0)
    assert same(weights(perceptual), before)


def test_a_batch_in_micro_batches_gives_the_gradient_of_the_whole(frames, tmp_path):
    found = []
    for parts in (1, 4):
        model = build_seeded(lambda: DAE(DAEConfig(bottleneck=8, n_masks=0), SHAPE), 0)
        config = TrainingConfig(steps=3, batch_size=16, micro_batches=parts, precision="float32")
        train_model(model, frames, config, tmp_path / str(parts), 0)
        found.append(weights(model))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("term", ["pixel", "gradient_norm"])
def test_a_number_that_is_not_finite_stops_before_it_reaches_a_weight(frames, tmp_path, term):
    model = Explodes(at=4, where=term)
    with pytest.raises(TrainingDivergedError) as caught:
        train_model(model, frames, TrainingConfig(steps=6, batch_size=4, checkpoint_every=2), tmp_path, 0)
    message = str(caught.value)
    assert "step 4" in message
    assert term in message or (term == "pixel" and "loss" in message)
    assert str(tmp_path / "checkpoint" / "step-000000002.json") in message
    assert model.weight.isfinite()


def test_before_the_first_checkpoint_the_message_says_so(frames, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"step 1: .* none was written yet"):
        train_model(Explodes(at=1, where="pixel"), frames, TrainingConfig(steps=2, batch_size=4), tmp_path, 0)


def test_gradient_clipping_bounds_the_update_but_reports_the_true_norm(frames, tmp_path):
    # Adam's first step does not depend on the gradient's scale, so the clipped norm is read from Adam's first moment.
    found = {}
    for clip in (None, 1e-3):
        config = TrainingConfig(steps=1, batch_size=16, gradient_clip=clip, log_every=1, precision="float32")
        row = train_model(beta_vae(), frames, config, tmp_path / str(clip), 0).history[0]
        from darla.common.files import load_tensors

        tensors = load_tensors(tmp_path / str(clip) / "checkpoint" / "step-000000001.safetensors")
        moments = [value for name, value in tensors.items() if name.startswith("optimizer.exp_avg.")]
        found[clip] = row["gradient_norm"], float(torch.cat([moment.flatten() for moment in moments]).norm()) / 0.1
    assert found[None][0] == pytest.approx(found[1e-3][0])
    assert found[None][1] == pytest.approx(found[None][0], rel=1e-3)
    assert found[1e-3][1] == pytest.approx(1e-3, rel=1e-3)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(frames, tmp_path):
    whole = beta_vae()
    history = train_model(whole, frames, SHORT, tmp_path / "whole", 0).history

    def stop(row):
        raise KeyboardInterrupt

    halves = beta_vae()
    with pytest.raises(KeyboardInterrupt):
        train_model(halves, frames, SHORT, tmp_path / "halves", 0, observe=stop)
    halves = beta_vae(seed=9)  # its weights come from the checkpoint
    assert train_model(halves, frames, SHORT, tmp_path / "halves", 0).history == history
    assert same(weights(whole), weights(halves))


def test_ctrl_c_writes_a_checkpoint_after_the_step(frames, tmp_path):
    config = TrainingConfig(steps=7, batch_size=16, log_every=3, checkpoint_every=100)
    whole, part = beta_vae(), beta_vae()
    history = train_model(whole, frames, config, tmp_path / "whole", 0).history

    def stop(row):
        signal.raise_signal(signal.SIGINT)
        return {}

    with pytest.raises(KeyboardInterrupt):
        train_model(part, frames, config, tmp_path / "part", 0, observe=stop)
    written = (tmp_path / "part" / "checkpoint").glob("*.json")
    assert [path.name for path in written] == ["step-000000003.json"]
    assert train_model(part, frames, config, tmp_path / "part", 0).history == history
    assert same(weights(whole), weights(part))


def test_a_checkpoint_of_another_seed_is_refused(frames, tmp_path):
    train_model(beta_vae(), frames, SHORT, tmp_path, 0)
    with pytest.raises(InputError, match="of another training"):
        train_model(beta_vae(), frames, SHORT, tmp_path, 1)


def test_only_the_last_two_checkpoints_are_kept(frames, tmp_path):
    train_model(beta_vae(), frames, SHORT, tmp_path, 0)
    kept = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    assert kept == [f"step-00000000{step}.{kind}" for step in (4, 6) for kind in ("json", "safetensors")]


def test_each_pass_shows_every_image_once():
    order = BatchOrder(np.arange(10, 20), batch_size=4, seed=0)
    seen = np.concatenate([order(step) for step in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10, 20))
    assert list(seen[:10]) != list(seen[10:])


def test_the_order_of_a_step_does_not_depend_on_the_steps_before_it():
    order = BatchOrder(np.arange(10), batch_size=4, seed=0)
    forwards = [order(step) for step in range(6)]
    for step in (5, 0, 3):
        assert np.array_equal(BatchOrder(np.arange(10), 4, 0)(step), forwards[step])


def test_a_batch_may_be_larger_than_the_data():
    assert sorted(BatchOrder(np.arange(3), batch_size=9, seed=0)(0)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_trapezoid_rises_stays_and_falls():
    config = TrainingConfig(steps=100, schedule="trapezoid", warmup_fraction=0.1, learning_rate=2.0)
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx(np.linspace(0.2, 2.0, 10))
    assert rates[10:76] == [2.0] * 66
    assert rates[75:] == pytest.approx(np.linspace(2.0, 0.08, 25))


def test_one_cycle_rises_and_falls():
    config = TrainingConfig(steps=100, learning_rate=1e-3, warmup_fraction=0.2)
    rates = [config.learning_rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3 / 25)
    assert max(rates) == rates[20] == pytest.approx(1e-3)
    assert rates[-1] < 1e-5
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_constant_rate_is_constant():
    config = TrainingConfig(steps=10, learning_rate=1e-3, schedule="constant")
    assert {config.learning_rate_at(step) for step in range(10)} == {1e-3}


def test_invalid_settings_are_refused(frames, tmp_path):
    for change in (
        {"steps": -1}, {"batch_size": 0}, {"learning_rate": -1.0}, {"weight_decay": -1.0},
        {"schedule": "cosine"}, {"warmup_fraction": 1.0},
        {"gradient_clip": 0.0}, {"micro_batches": 3},
    ):  # fmt: skip
        with pytest.raises(InputError):
            TrainingConfig(**change)
    with pytest.raises(InputError, match="unknown precision"):
        train_model(beta_vae(), frames, TrainingConfig(precision="bf16"), tmp_path, 0)
    with pytest.raises(InputError, match="unknown device"):
        train_model(beta_vae(), frames, TrainingConfig(device="tpus"), tmp_path, 0)
    with pytest.raises(InputError, match="no images"):
        train_model(beta_vae(), frames, SHORT, tmp_path, 0, rows=np.arange(0))


@pytest.mark.parametrize("damaged", ["newest", "both"])
@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_checkpoint_is_passed_over_and_the_result_is_the_same(frames, tmp_path, damaged, suffix, capsys):
    config = TrainingConfig(steps=6, batch_size=16, log_every=2, checkpoint_every=2, schedule="constant")

    def train(folder, observe=None):
        model = build_seeded(lambda: DAE(DAEConfig(bottleneck=8), SHAPE), 0)
        train_model(model, frames, config, folder, 0, observe=observe)
        return weights(model)

    def stop(row):
        if row["step"] == 6:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "part", stop)
    paths = sorted((tmp_path / "part" / "checkpoint").glob(f"step-*{suffix}"))
    for path in paths[-1:] if damaged == "newest" else paths:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    assert same(train(tmp_path / "part"), train(tmp_path / "whole"))
    assert "a checkpoint is not used" in capsys.readouterr().err

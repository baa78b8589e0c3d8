"""Units of training: what belongs together stays together, in batches, micro-batches and the split."""

import numpy as np
import pytest
import torch
from squares import Frames, KnownFrames

from darla.common import InputError
from darla.vision import SeeConfig, Supervision, TrainingConfig
from darla.vision.encoders.splits import split
from darla.vision.encoders.train_encoder import train_encoder
from darla.vision.models.image_model import ImageModel
from darla.vision.training.loop import train_model
from darla.vision.training.units import Units, label_table, units_of

ALL = np.arange(48)


def test_images_of_a_unit_lie_beside_each_other():
    units = Units(np.arange(12).reshape(4, 3), {"action": np.arange(4)}, {"label": np.arange(12) * 10})
    chosen = np.array([2, 0])
    assert units.images_of(chosen).tolist() == [6, 7, 8, 0, 1, 2]
    known = units.supervision_of(chosen, torch.device("cpu"))
    assert known["action"].tolist() == [2, 0]
    assert known["label"].tolist() == [60, 70, 80, 0, 10, 20]


def test_a_unit_is_used_if_all_its_images_may_be():
    frames = KnownFrames(48)
    units = units_of(Supervision(pairs=True), frames, np.arange(1, 48), seed=0)
    assert units.rows.tolist() == frames.pairs[1:].tolist()


def test_actions_and_groups_follow_their_units():
    frames = KnownFrames(48)
    allowed = np.arange(8, 48)
    transitions = units_of(Supervision(actions=True), frames, allowed, seed=0)
    np.testing.assert_array_equal(transitions.per_unit["actions"], frames.actions[4:])
    groups = units_of(Supervision(groups=True), frames, allowed, seed=0)
    np.testing.assert_array_equal(groups.per_unit["varied"], frames.varied[2:])


def test_column_j_is_of_domain_j_and_no_image_of_the_largest_is_left_out():
    frames = KnownFrames(48)
    frames.domain_ids = np.where(ALL < 6, 1, 0)
    units = units_of(Supervision(domain_ids=True), frames, ALL, seed=0)
    assert units.rows.shape == (42, 2)
    assert sorted(units.rows[:, 0]) == list(range(6, 48))
    assert (np.bincount(units.rows[:, 1], minlength=6) == 7).all()
    again = units_of(Supervision(domain_ids=True), frames, ALL, seed=0)
    np.testing.assert_array_equal(units.rows, again.rows)


def test_labels_are_numbers_and_names_in_alphabetical_order():
    frames = KnownFrames(4)
    frames.contexts = {"size": np.array([1.5, 2.0, 1.5, 3.0]), "kind": np.array(["b", "a", "c", "a"])}
    assert label_table(frames).tolist() == [[1.5, 1], [2.0, 0], [1.5, 2], [3.0, 0]]


def test_one_batch_cannot_be_arranged_in_two_ways():
    with pytest.raises(InputError, match="pairs and by domain_ids"):
        Supervision(pairs=True, domain_ids=True)
    assert str(Supervision(labels=True, pairs=True)) == "labels, pairs"


def test_the_split_leaves_units_whole():
    rows, held_out = split(48, 0.25, seed=3, unit_size=4)
    assert sorted([*rows, *held_out]) == list(range(48))
    for part in (rows, held_out):
        assert (np.sort(part).reshape(-1, 4) // 4 == np.sort(part)[::4, None] // 4).all()
    with pytest.raises(InputError, match="2 units of 40 frames"):
        split(48, 0.25, seed=3, unit_size=40)


class Remembers(ImageModel):
    """Keeps what it was trained on."""

    def __init__(self) -> None:
        super().__init__((16, 16, 3))
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def loss(self, images, generator=None, supervision=None):
        self.seen.append((images, supervision["actions"]))
        return {"loss": self.weight * images.mean()}


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_sees_units_with_what_is_known_of_them(tmp_path, micro_batches):
    frames, model = KnownFrames(48), Remembers()
    frames.actions = np.arange(24)  # the number of the transition
    units = units_of(Supervision(actions=True), frames, ALL, seed=0)
    config = TrainingConfig(steps=3, batch_size=16, micro_batches=micro_batches)
    train_model(model, frames, config, tmp_path, 0, units=units)
    assert len(model.seen) == 3 * micro_batches
    for images, actions in model.seen:
        expected = model.to_input(frames[frames.transitions[actions.numpy()].reshape(-1)])
        assert torch.equal(images, expected)
    drawn = torch.cat([actions for _, actions in model.seen])
    assert len(drawn.unique()) == 24  # an epoch of 24 units is three steps of eight


def test_a_batch_that_cannot_be_divided_into_units_is_refused(tmp_path):
    units = units_of(Supervision(groups=True), KnownFrames(48), ALL, seed=0)
    with pytest.raises(InputError, match="18 images cannot be divided into units of 4"):
        train_model(Remembers(), KnownFrames(48), TrainingConfig(batch_size=18), tmp_path, 0, units=units)


@pytest.mark.parametrize(
    ("model", "missing", "advice"),
    [
        ("ada_gvae", "pairs", "--unit pair"),
        ("dc_ign", "groups", "--unit group"),
        ("lusr", "domain ids", "--looks"),
        ("oracle_triplets", "labels", "factors"),
    ],
)
def test_frames_without_what_a_model_needs_are_refused_before_anything_is_written(tmp_path, model, missing, advice):
    with pytest.raises(InputError, match=f"{model!r} needs {missing}.*{advice}"):
        train_encoder(SeeConfig().change(model=model), Frames(48), tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()

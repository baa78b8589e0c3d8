"""Encoders of a world with factors and facts of its own: probes, measures, ranking and report name its facts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module

import gymnasium
import numpy as np
import pytest

import darla
from darla.analysis.encoder_measures import MeasuresConfig, measure, measure_label, measure_order, read_measures
from darla.common import Artefact
from darla.envs import Domain, Fact, Factor, FactorSpace, Uniform, World, register_world
from darla.envs.frames.collect import CollectConfig, collect
from darla.reports.data import collect_artefacts
from darla.reports.markdown import to_markdown
from darla.reports.page import build_report
from darla.reports.sections.vision import find_models, probe_table
from darla.vision import MODELS, SeeConfig, Supervision, TrainingConfig
from darla.vision.encoders.probes import probe
from darla.vision.models import registry

train_encoder = import_module("darla.vision.encoders.train_encoder")

ENV_ID = "test/Lamps-v0"
SPACE = FactorSpace((Factor("wall_hue", "circular", 0.0), Factor("light", "continuous", 1.0, 0.5, 1.0)))
FACTS = (Fact("lamp_on", "class", ("off", "on")), Fact("turn", "angle", unit="rad"))
SHORT = SeeConfig().change(training=TrainingConfig(steps=6, batch_size=16), latent_dim=6, held_out=0.4)
PROBED = ("lamp_on", "turn_cos", "turn_sin")


class Lamps(gymnasium.Env):
    """A lamp on a wall; nothing can be done about it."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        context = (options or {}).get("context", {"wall_hue": 0.0, "light": 1.0})
        is_on, turn = int(self.np_random.integers(0, 2)), float(self.np_random.uniform(-3, 3))
        image = np.full((64, 64, 3), 90 * context["light"], np.uint8)
        image[..., 2] = 255 * context["wall_hue"]
        row, column = round(28 + 20 * np.cos(turn)), round(28 + 20 * np.sin(turn))
        image[row : row + 10, column : column + 10] = 250 if is_on else 20
        return image, {"state": {"lamp_on": ("off", "on")[is_on], "turn": turn}}

    def step(self, action):
        return self.reset()[0], 0.0, True, False, {}


@pytest.fixture(scope="module", autouse=True)
def brief_probes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_encoder, "probe", partial(probe, steps=20))
        yield


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    gymnasium.register(ENV_ID, entry_point=Lamps, disable_env_checker=True)
    world = register_world(World("lamps", ENV_ID, SPACE, facts=FACTS, random_start={}, paired=False))
    domain = Domain("walls", ({"wall_hue": Uniform(0.0, 0.9), "light": Uniform(0.5, 1.0)},), world=world)
    return collect(CollectConfig(frames=300), tmp_path_factory.mktemp("frames") / "set", domain=domain)


@pytest.fixture(scope="module")
def encoder(frames: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return darla.see(frames, tmp_path_factory.mktemp("encoder") / "out", SHORT)


@pytest.mark.slow
def test_a_ranking_has_the_probes_of_the_worlds_facts(frames, tmp_path):
    made = darla.select(frames, tmp_path / "out", {"weak": SHORT}, seeds=(0, 1), workers=1)
    result = json.loads((made.folder / "selection.json").read_text())
    probes = {f"probe_{fact}" for fact in PROBED}
    for each in result["candidates"]:
        assert {name for name in each["supervised_scores"] if name.startswith("probe_")} == probes
        assert set(each["informativeness"]) == set(SPACE)
        assert each["supervision"] == "none"
    assert probes <= set(result["rank_correlation"])
    table = (made.folder / "table.md").read_text()
    assert "probe of lamp on" in table
    assert "kind" not in table
    assert "supervision" not in table


def test_the_measures_of_an_encoder_have_them_too(frames, encoder, tmp_path):
    made = measure(encoder, frames, tmp_path / "measures", [], MeasuresConfig(scores=("sap", "mig"), rows=200))
    names = measure_order(read_measures(made).measures)
    assert names[:2] == ["mig", "sap"]
    assert names[2:] == [*(f"probe_{fact}" for fact in PROBED), "kl", "active", "error"]
    assert [measure_label(name) for name in ("probe_turn_sin", "mig", "my_metric")] == [
        "probe of turn sin",
        "MIG",
        "my metric",
    ]


def test_the_report_names_them_and_how_each_is_scored(encoder):
    data = collect_artefacts([encoder.folder])
    table = probe_table(find_models(data))
    assert [cell.text for cell in table.header] == [
        "model", *(fact for fact in ("lamp on", "turn cos", "turn sin") for _ in range(2)), "error", "KL",
        "active",
    ]  # fmt: skip
    assert table.rows[-1][1].text == "0.50"  # chance of two classes
    assert table.notes[0].startswith(
        "Balanced accuracy: lamp on. R², 0 for always predicting the mean: turn cos, turn sin. "
    )
    page, _ = to_markdown(build_report(data))
    assert "lamp on, turn cos, turn sin" in page
    assert "bearing" not in page


def test_supervision_is_a_column_as_soon_as_one_model_had_some(frames, encoder, tmp_path, monkeypatch):
    needy = replace(registry.model_info("beta_vae"), needs=Supervision(labels=True))
    monkeypatch.setitem(registry._INFO, MODELS["beta_vae"], needy)
    supervised = darla.see(frames, tmp_path / "supervised", SHORT, seed=1)
    monkeypatch.undo()  # a report is right also where the model is not installed
    data = collect_artefacts([encoder.folder])
    models = find_models(replace(data, encoders=[supervised]))
    table = probe_table([*find_models(data), *models])
    assert table.header[1].text == "supervision"
    assert [row[1].text for row in table.rows] == ["none", "labels", "–"]
    assert table.labels == 2
    assert models[0].full_label.endswith(", supervised by labels")
    assert all(len(row) == len(table.header) for row in table.rows)

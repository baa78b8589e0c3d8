"""Learning curves in the report: those of snapshots, or else of training."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_run import make_run

from darla.agents.training.train import CURVE
from darla.common import Artefact, InputError, complete_artefact, start_artefact
from darla.common.files import write_json
from darla.common.json_records import to_json
from darla.evaluation.score_types import TransferScores
from darla.reports.data import ReportData, TransferData, collect_artefacts
from darla.reports.document import FigureBlock, Section
from darla.reports.sections.learning_curves import curves_section


@pytest.fixture
def transfers(tmp_path: Path) -> list[TransferData]:
    """Two transfers whose snapshots were played, in `conjunction` and `recolor`."""
    return collect_artefacts([make_run(tmp_path / "run")]).transfers


def _agent(folder: Path, curve: str) -> Artefact:
    start_artefact(folder, "agent", {})
    (folder / CURVE).write_text(curve)
    return complete_artefact(folder, "agent", {}, seed=0, inputs={}, wall_seconds=1.0)


def _without_snapshots(transfer: TransferData, agent: Artefact) -> TransferData:
    """Let a transfer have played no snapshots, and its DARLA of seed 0 be `agent`."""
    folder = transfer.artefact.folder
    scores = TransferScores.load(folder)
    agents = [
        replace(record, digest=agent.digest) if (record.method, record.seed) == ("DARLA (β-VAE_DAE)", 0) else record
        for record in scores.agents
    ]
    write_json(folder / "scores.json", to_json(replace(scores, agents=tuple(agents))))
    (folder / "curves.csv").write_text("method,seed,domain,split,env_steps,episodes,mean_return\n")
    return TransferData(transfer.artefact)


def _captions(section: Section | None) -> list[str]:
    assert section is not None
    parts = [block for block in section.blocks if isinstance(block, Section)] or [section]
    return [block.caption for part in parts for block in part.blocks if isinstance(block, FigureBlock)]


def test_snapshots_are_shown_for_each_task(transfers: list[TransferData]) -> None:
    captions = _captions(curves_section(ReportData(transfers=transfers)))
    assert len(captions) == 2
    assert all("snapshots" in caption for caption in captions)


def test_the_return_in_training_stands_in_for_them_and_is_shown_once(
    transfers: list[TransferData], tmp_path: Path
) -> None:
    agent = _agent(tmp_path / "agent", "env_steps,mean_return,mean_length,episodes\n100,0.5,150,8\n200,1.5,150,8\n")
    changed = [_without_snapshots(transfer, agent) for transfer in transfers]
    captions = _captions(curves_section(ReportData(transfers=changed, agents=[agent])))
    assert len(captions) == 1, "both tasks have this agent"
    assert "training episodes" in captions[0]


def test_agents_without_a_curve_leave_no_empty_panels(transfers: list[TransferData], tmp_path: Path) -> None:
    agent = _agent(tmp_path / "agent", "env_steps,mean_return,mean_length,episodes\n")
    changed = [_without_snapshots(transfer, agent) for transfer in transfers]
    assert curves_section(ReportData(transfers=changed, agents=[agent])) is None


def test_a_damaged_curve_is_named(transfers: list[TransferData], tmp_path: Path) -> None:
    agent = _agent(tmp_path / "agent", "env_steps,mean_return\n100,much\n")
    changed = _without_snapshots(transfers[0], agent)
    with pytest.raises(InputError, match=r"damaged in line 2: .*much"):
        curves_section(ReportData(transfers=[changed], agents=[agent]))

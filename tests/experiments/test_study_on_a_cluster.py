"""A study on a Ray cluster: a worker is killed in the middle of its work, and the table is that of one machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import MORE, darla

from darla.common.jobs import log as job_log
from darla.experiments.status import LOGS, PartStatus, study_status

pytestmark = pytest.mark.slow

TABLES = ("table.md", "paper-table.md", "paper-table.csv", "paper-table.tex", "scores.csv")
_PATIENCE = 300.0  # seconds


@pytest.fixture
def cluster() -> Iterator[str]:
    """Address of a cluster of two nodes, each with one core, on this machine."""
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'darla[ray]'")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    yield nodes.address
    nodes.shutdown()


def begun_agent(folder: Path) -> PartStatus | None:
    """Return an agent that is being trained and whose folder is there already."""
    if not (folder / "study.json").is_file():
        return None
    for each in study_status(folder).parts:
        if each.state == "running" and each.part.kind == "agents" and (folder / each.part.folder).is_dir():
            return each
    return None


def test_a_killed_worker_changes_no_number(cluster: str, tmp_path: Path) -> None:
    there, here = tmp_path / "cluster", tmp_path / "machine"
    run = subprocess.Popen(
        [sys.executable, "-m", "darla", "study", "run", "tiny", "--out", str(there), "--ray", cluster],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **MORE},
    )
    at_once, victim, deadline = 0, None, time.monotonic() + _PATIENCE
    while run.poll() is None and victim is None and time.monotonic() < deadline:
        time.sleep(0.1)
        if (there / "study.json").is_file():
            at_once = max(at_once, study_status(there).count("running"))
        victim = begun_agent(there)
    assert victim is not None, run.communicate()[1]
    log = there / victim.log
    mark = job_log.last_mark(log)
    assert mark is not None
    assert mark.process is not None
    os.kill(mark.process, signal.SIGKILL)
    while run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
        at_once = max(at_once, study_status(there).count("running"))
    _, said = run.communicate(timeout=_PATIENCE)
    assert run.returncode == 0, said

    starts = [line for line in log.read_text().splitlines() if "] started on " in line]
    assert len(starts) == 2, "the part was not begun again"
    assert starts[0].split()[-1] != starts[1].split()[-1]
    assert at_once == 2, "the two nodes were never at work together"
    assert study_status(there).is_done

    darla("study", "run", "tiny", "--out", here)
    for name in TABLES:
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    assert {path.name for path in (there / LOGS).iterdir()} == {path.name for path in (here / LOGS).iterdir()}

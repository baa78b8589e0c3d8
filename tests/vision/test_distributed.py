"""Two processes with half of each batch train as one process with both halves."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from darla.common import Artefact, InputError
from darla.vision import DAE, DAEConfig, TrainingConfig, train_model

PROGRAM = Path(__file__).with_name("distributed.py")


def start(out: Path, *launcher: str) -> Artefact:
    answer = subprocess.run([sys.executable, *launcher, PROGRAM, out], capture_output=True, text=True, timeout=900)
    assert answer.returncode == 0, answer.stderr
    return Artefact.load(out, "encoder")


def test_two_processes_train_as_one(tmp_path):
    alone = start(tmp_path / "alone")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    together = start(tmp_path / "together", *torchrun)
    expected, result = alone.tensors(), together.tensors()
    assert expected.keys() == result.keys()
    for name, value in expected.items():
        torch.testing.assert_close(result[name], value, rtol=1e-3, atol=1e-4, msg=name)
    rows = [list(csv.DictReader((run.folder / "history.csv").open())) for run in (alone, together)]
    for one, two in zip(*rows, strict=True):
        assert float(two["loss"]) == pytest.approx(float(one["loss"]), rel=1e-3)


def test_micro_batches_that_cannot_be_shared_out_are_refused(frames, tmp_path, monkeypatch):
    from darla.vision.training.devices import DistributedContext

    monkeypatch.setattr(DistributedContext, "join", classmethod(lambda cls, device: cls(rank=0, world=3)))
    model = DAE(DAEConfig(bottleneck=8), (16, 16, 3))
    with pytest.raises(InputError, match="16 in 2 micro-batches cannot be divided equally among 3 processes"):
        train_model(model, frames, TrainingConfig(batch_size=16, micro_batches=2), tmp_path, 0)

"""Expected times: from speeds that are given, so that no test depends on how fast this machine is."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from darla.common import Progress
from darla.common.speeds.meter import measuring
from darla.common.speeds.records import VARIABLE, Work, find, keep, kept, settings_of, speeds_file, spread
from darla.common.speeds.wording import Part, expect, roughly

WORK = Work("act", "step", {"world": "seek_avoid", "device": "cpu"})
REST = Work("act", "run", {"world": "seek_avoid"})
TODAY = date.today().isoformat()


def _with(**facts: str) -> Work:
    """Return the work with more facts."""
    return replace(WORK, facts={**WORK.facts, **facts})


@pytest.fixture(autouse=True)
def own_speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.5, 0.5))
    return tmp_path / "cache" / "speeds.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def line_of(capsys: pytest.CaptureFixture[str], *parts: Part, done: int = 0, **options: int) -> str:
    """Return the first line that a stage prints; it is stopped at once, so that its own speed is not kept."""
    label, total = next(((part.label, int(part.amount)) for part in parts if part.label), ("", 0))
    with (
        pytest.raises(ZeroDivisionError),
        measuring("learn to act", parts, **options),
        Progress(total, label, done=done),
    ):
        raise ZeroDivisionError
    return capsys.readouterr().err.partition("\n")[0]


def test_a_stage_says_how_long_it_will_take(capsys: pytest.CaptureFixture[str]) -> None:
    keep([(WORK, 2_000, 40.0)])
    assert line_of(capsys, Part(WORK, 40_000, "train")) == (
        f"learn to act: about 13 minutes (40,000 steps at 50 a second, measured on this machine on {TODAY})"
    )


def test_what_was_never_measured_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    expected = "learn to act: how long this takes has not been measured on this machine yet; this run measures it"
    assert line_of(capsys, Part(WORK, 40_000, "train")) == expected
    keep([(REST, 1, 9.0)])  # of which the steps cannot be inferred
    assert line_of(capsys, Part(WORK, 40_000, "train"), Part(REST, 1)) == expected


def test_a_resumed_stage_counts_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    keep([(WORK, 2_000, 40.0)])
    line = line_of(capsys, Part(WORK, 40_000, "train"), done=30_000)
    assert "about 3.5 minutes (10,000 steps at 50 a second" in line


def test_parts_add_up_and_workers_share_them(capsys: pytest.CaptureFixture[str]) -> None:
    other = Work("act", "episode", {"world": "seek_avoid"})
    keep([(WORK, 2_000, 40.0), (other, 100, 50.0), (REST, 1, 30.0)])
    parts = (Part(WORK, 5_000, "train"), Part(other, 60, "validate"), Part(REST, 1))
    assert expect(parts).seconds == pytest.approx(100 + 30 + 30)
    assert expect(parts, side_by_side=2).seconds == pytest.approx(50 + 15 + 30)
    assert line_of(capsys, *parts).startswith(
        "learn to act: about 2.5 minutes (train: 5,000 steps at 50 a second; validate: 60 episodes at 2 a second, "
    )


def test_parts_that_count_nothing_are_named_alone(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (Work("metrics", "run", {"metric": name}) for name in ("dci", "mig"))
    keep([(one, 1, 12.0), (other, 1, 8.0)])
    line = line_of(capsys, Part(one, 1, "dci"), Part(other, 1, "mig"))
    assert line.startswith("learn to act: about 20 seconds (dci; mig, measured on this machine on ")


def test_a_part_that_was_not_measured_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    keep([(WORK, 2_000, 40.0)])
    line = line_of(capsys, Part(WORK, 5_000, "train"), Part(Work("act", "episode"), 60, "validate"))
    assert line.startswith("learn to act: at least about 100 seconds (")
    assert line.endswith("; validate: not measured on this machine yet")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "a second or two"),
        (4, "5 seconds"),
        (43, "45 seconds"),
        (92, "90 seconds"),
        (150, "2.5 minutes"),
        (840, "14 minutes"),
        (5_340, "89 minutes"),
        (11_500, "3 h 10 min"),
        (50_000, "14 hours"),
        (400_000, "5 days"),
    ],
)
def test_times_are_rounded_to_what_can_be_known(seconds: float, words: str) -> None:
    assert roughly(seconds) == words


def test_only_the_same_work_on_the_same_machine_counts(own_speeds: Path) -> None:
    keep([(WORK, 2_000, 40.0)])
    assert find(WORK) is not None
    assert find(Work("act", "step", {"world": "seek_avoid"})) is not None  # on whatever device
    for other in (
        Work("see", "step", WORK.facts),
        Work("act", "episode", WORK.facts),
        _with(device="NVIDIA H200"),
        _with(encoder="beta_vae"),
    ):
        assert find(other) is None
    own_speeds.write_text(own_speeds.read_text().replace('"machine": "', '"machine": "another processor, '))
    assert find(WORK) is None


def test_a_machine_of_the_same_kind_is_named(own_speeds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep([(WORK, 2_000, 40.0)])
    data = json.loads(own_speeds.read_text())
    data["speeds"][0] |= {"host": "node7", "day": "2026-01-31"}
    own_speeds.write_text(json.dumps(data))
    assert socket.gethostname() != "node7"
    line = line_of(capsys, Part(WORK, 40_000, "train"))
    assert "measured on node7, which has the same processor, on 2026-01-31" in line


def test_another_number_of_workers_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def work(workers: int) -> Work:
        return Work("act", "step", WORK.facts, spread(1, workers=workers))

    keep([(work(1), 2_000, 40.0)])
    assert line_of(capsys, Part(work(4), 40_000, "train")).endswith("with 1 worker instead of 4)")
    keep([(work(4), 2_000, 20.0)])
    assert "at 100 a second" in line_of(capsys, Part(work(4), 40_000, "train"))
    assert "at 50 a second" in line_of(capsys, Part(work(1), 40_000, "train"))


def test_a_short_or_disturbed_measurement_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep([(WORK, 100, 2.0)])
    assert line_of(capsys, Part(WORK, 40_000, "train")).endswith(f"on {TODAY} for a second or two)")
    monkeypatch.setattr(os, "getloadavg", lambda: (999.0, 0.5, 0.5))
    keep([(WORK, 1_000, 40.0)])
    assert line_of(capsys, Part(WORK, 40_000, "train")).endswith(f"on {TODAY}, while other work made it slow)")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.5, 0.5))
    keep([(WORK, 500, 10.0)])  # shorter, and replaces it all the same
    assert "at 50 a second" in line_of(capsys, Part(WORK, 40_000, "train"))


def test_a_long_measurement_is_not_lost_to_a_short_one() -> None:
    keep([(WORK, 500, 10.0)])
    keep([(WORK, 10, 1.0)])
    assert [speed.rate for speed in kept()] == [50.0]
    keep([(WORK, 20_000, 500.0)])
    keep([(WORK, 1_000, 31.0)])  # half a minute is enough
    assert [speed.seconds for speed in kept()] == [31.0]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 9, "speeds": []}',
        '{"format": 1, "speeds": {"a": 1}}',
        "[" * 99_999,
    ],
    ids=lambda content: content[:12],
)
def test_a_damaged_or_foreign_file_has_no_speeds_and_is_written_anew(own_speeds: Path, content: str) -> None:
    own_speeds.parent.mkdir()
    own_speeds.write_text(content)
    assert kept() == []
    keep([(WORK, 2_000, 40.0)])
    assert [speed.rate for speed in kept()] == [50.0]


def test_a_file_that_is_no_text_and_one_that_is_too_large_are_passed_over(own_speeds: Path) -> None:
    own_speeds.parent.mkdir()
    for content in (b"\xff\xfe\x00", b" " * 2**21):
        own_speeds.write_bytes(content)
        assert kept() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", 0), ("rate", "fast"), ("rate", float("inf")), ("day", "soon"), ("work", None), ("load", [])],
)
def test_a_damaged_record_is_passed_over_and_the_others_are_read(own_speeds: Path, name: str, value: object) -> None:
    keep([(WORK, 2_000, 40.0), (REST, 1, 9.0)])
    data = json.loads(own_speeds.read_text())
    data["speeds"][0][name] = value
    own_speeds.write_text(json.dumps(data))
    assert len(kept()) == 1


def test_the_file_stays_small(own_speeds: Path) -> None:
    keep([(_with(world=str(number)), 50, 1.0) for number in range(350)])
    assert len(kept()) == 300
    assert kept()[0].work.facts["world"] == "349"  # the newest
    assert own_speeds.stat().st_size < 200_000


def test_several_processes_lose_nothing(own_speeds: Path) -> None:
    program = (
        "import sys; from darla.common.speeds.records import Work, keep\n"
        "for number in range(10): keep([(Work('act', 'step', {'of': f'{sys.argv[1]}{number}'}), 1, 1.0)])"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [each.wait() for each in running] == [0, 0]
    assert {speed.work.facts["of"] for speed in kept()} == {f"{name}{number}" for name in "ab" for number in range(10)}
    assert {path.name for path in own_speeds.parent.iterdir()} == {".lock", "speeds.json"}


def test_a_clock_beyond_the_calendar_fails_no_run(own_speeds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e15)
    with pytest.raises(ValueError, match="out of range"):
        date.today()
    keep([(Work("see", "steps"), 100.0, 60.0)])
    assert not kept()


def test_it_can_be_switched_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    keep([(WORK, 2_000, 40.0)])
    monkeypatch.setenv(VARIABLE, "off")
    assert (speeds_file(), kept(), find(WORK)) == (None, [], None)
    keep([(REST, 1, 9.0)])
    assert line_of(capsys, Part(WORK, 40_000, "train")) == ""


def test_a_home_that_cannot_be_written_disturbs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", Path("/proc/nowhere")):
        monkeypatch.setenv(VARIABLE, str(place))
        keep([(WORK, 2_000, 40.0)])
        assert kept() == []


def test_the_place_follows_the_conventions_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert speeds_file() == Path("/home/ann/.cache/darla/speeds.json")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert speeds_file() == Path("/home/ann/.cache/darla/speeds.json")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert speeds_file() == tmp_path / "darla" / "speeds.json"


def test_each_progress_counts_for_its_part_and_what_is_left_for_the_rest(clock: list[float]) -> None:
    with measuring("learn to act", [Part(WORK, 100, "train"), Part(REST, 1)]):
        clock[0] += 3  # to open environments
        with Progress(100, "train") as progress:
            clock[0] += 10
            with Progress(5, "something inside"):
                clock[0] += 4
            clock[0] += 10
            progress.update(100)
        clock[0] += 2
    rates = {speed.work.unit: (speed.rate, speed.seconds) for speed in kept()}
    assert rates == {"step": (pytest.approx(5.0), 20.0), "run": (pytest.approx(1 / 9), 9.0)}


def test_a_stage_inside_another_measures_itself(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    inner = Part(Work("see", "step", {"of": "denoiser"}), 10, "denoiser")
    with measuring("learn to see", [Part(WORK, 100, "train"), Part(REST, 1)], inner=[inner]):
        with measuring("denoiser", [inner]), Progress(10, "denoiser") as progress:
            clock[0] += 5
            progress.update(10)
        with Progress(100, "train") as progress:
            clock[0] += 20
            progress.update(100)
        clock[0] += 2
    assert [(speed.work, speed.seconds) for speed in kept()] == [(REST, 2.0), (WORK, 20.0), (inner.work, 5.0)]
    assert capsys.readouterr().err.count("this run measures it") == 1


def stopped_after(seconds: float, clock: list[float]) -> None:
    with measuring("learn to act", [Part(WORK, 100, "train"), Part(REST, 1)]), Progress(100, "train") as progress:
        progress.update(50)
        clock[0] += seconds
        raise KeyboardInterrupt


@pytest.mark.parametrize(("seconds", "remembered"), [(10, []), (40, [40.0])])
def test_of_a_stage_that_is_stopped_only_long_parts_are_kept(
    clock: list[float], seconds: float, remembered: list[float]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        stopped_after(seconds, clock)
    assert [speed.seconds for speed in kept()] == remembered


def test_a_sweep_over_weights_knows_its_speed() -> None:
    assert settings_of({"beta": 1.0, "latent_dim": 32}) == settings_of({"beta": 4.0, "latent_dim": 32})
    assert settings_of({"beta": 1.0, "latent_dim": 32}) != settings_of({"beta": 1.0, "latent_dim": 10})
    assert settings_of({"shape": (64, 64)}) == settings_of({"shape": [64, 64]})  # as JSON gives it back

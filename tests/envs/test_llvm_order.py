"""Triton's LLVM is loaded before a renderer is opened, in whatever order things are imported and opened."""

from pathlib import Path

import pytest
import triton_stand_in

OURS = "import darla.envs as e; env = e.make(e.tasks.get('conjunction').source); env.reset(seed=0)\n"
OWN_WORLD = "own_world:darla-test/OwnWorld-v0"
OWN = f"import darla.envs as e; env = e.make(e.EnvDomain('own', {OWN_WORLD!r})); env.reset(seed=0)\n"
OPENED = f"import gymnasium; gymnasium.make({OWN_WORLD!r}).reset(seed=0)\n"
IN_A_POOL = """
import os
from darla.common.jobs.processes import worker_pool
import pool_work
if __name__ == '__main__':
    print(os.getpid())
    with worker_pool(1) as pool:
        assert pool.submit(pool_work.draw).result() > 0
"""
IN_WORKERS = """
import os
from darla.agents import make_vec
from darla.envs import EnvDomain, tasks
if __name__ == '__main__':
    print(os.getpid())
    for domain in (EnvDomain('own', 'own_world:darla-test/OwnWorld-v0'), tasks.get('conjunction').source):
        env = make_vec(domain, 2, seed=0, workers=2)
        env.reset()
        env.close()
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(OURS, id="darla first"),
        pytest.param(
            "import gymnasium; gymnasium.make('darla.envs:darla/SeekAvoid-v0').reset(seed=0)", id="Gymnasium makes it"
        ),
        pytest.param(OWN, id="an environment of the user's own"),
    ],
)
def test_triton_is_loaded_before_a_renderer_is_opened(program: str, tmp_path: Path) -> None:
    program += "\nimport sys; print(sys.modules['pyglet.gl'].current_context is not None, 'triton' in sys.modules)"
    printed, record = triton_stand_in.run(program, triton_stand_in.make(tmp_path))
    assert printed[-1] == "True False"  # it has drawn, and what was loaded is the library alone
    assert [line["renderer_open"] for line in record] == [False]
    assert not record[0]["looks_at_itself_first"]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(IN_A_POOL, id="a pool's worker"),
        pytest.param(IN_WORKERS, id="workers of environments"),
    ],
)
def test_triton_is_loaded_first_in_every_worker(program: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    printed, record = triton_stand_in.run(
        f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')", triton_stand_in.make(tmp_path / "triton")
    )
    assert not any(line["renderer_open"] for line in record)
    # A worker has loaded it, or the server that it is a copy of.
    assert {line["process"] for line in record} - {int(printed[0])}


@pytest.mark.parametrize(
    "program",
    [
        # pyglet opens a context as soon as MiniWorld is imported.
        pytest.param("import own_world\n" + OURS, id="MiniWorld first"),
        pytest.param("import own_world\n" + OWN, id="the user's own, imported before"),
        pytest.param(
            f"import gymnasium; gymnasium.make({OWN_WORLD!r}).reset(seed=0); import darla.vision", id="vision"
        ),
        pytest.param(
            f"import gymnasium; gymnasium.make({OWN_WORLD!r}).reset(seed=0); import darla.agents", id="agents"
        ),
    ],
)
def test_triton_looks_at_itself_first_where_a_renderer_is_open_already(program: str, tmp_path: Path) -> None:
    _, record = triton_stand_in.run(program, triton_stand_in.make(tmp_path))
    assert [line["renderer_open"] for line in record] == [True]
    # A driver of a graphics card may have no LLVM that others could find.
    assert record[0]["looks_at_itself_first"] == record[0]["llvm_there"]


def test_a_broken_triton_is_left_alone(tmp_path: Path) -> None:
    environment = triton_stand_in.make(tmp_path)
    (tmp_path / "triton" / "_C" / "libtriton.so").write_bytes(b"no library")
    printed, record = triton_stand_in.run(OURS + "print('drawn')", environment)
    assert printed[-1] == "drawn"
    assert not record


def test_importing_domains_loads_nothing_of_triton(tmp_path: Path) -> None:
    _, record = triton_stand_in.run("import darla, darla.envs", triton_stand_in.make(tmp_path))
    assert not record

"""The render path: the same picture as stock MiniWorld, without its faults."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from stock_miniworld import StockSeekAvoid

from darla.envs import SEEK_AVOID, Domain, make, tasks
from darla.envs.seek_avoid.env import SeekAvoid
from darla.envs.seek_avoid.opengl import gl
from darla.envs.transfer_tasks.seek_avoid import ROOM_1 as GREEN_ROOM
from darla.envs.transfer_tasks.seek_avoid import ROOM_2 as RED_ROOM


def resident_memory() -> int:
    """Return the memory that this process has in use, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


ROOM_1, ROOM_2 = SEEK_AVOID.space.context(GREEN_ROOM), SEEK_AVOID.space.context(RED_ROOM)


@pytest.mark.parametrize("seed", range(4))
def test_picture_equals_stock_miniworld(seed: int) -> None:
    env = SeekAvoid(tasks.get("conjunction").unlabeled)
    ours, _ = env.reset(seed=seed)
    stock = StockSeekAvoid(env)
    theirs, _ = stock.reset(seed=0)
    env.close()
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert ours.std() > 5
    # Rounding to 8 bits before or after the samples of a pixel are averaged, and a pixel on an edge here and there.
    assert np.mean(difference <= 2) > 0.995
    assert difference.mean() < 0.3


@pytest.mark.parametrize("object_set", ["A", "B"])
def test_objects_have_miniworlds_size_and_are_touched_where_miniworld_calls_them_near(object_set: str) -> None:
    env = SeekAvoid({"object_set": object_set})
    env.reset(seed=0)
    stock = StockSeekAvoid(env)
    stock.reset(seed=0)
    for ours, theirs in zip(env.entities, stock.entities, strict=False):  # stock MiniWorld counts the agent, last
        assert ours.kind.radius == pytest.approx(theirs.radius, abs=1e-3)
        for apart, near in ((-0.005, True), (0.005, False)):
            distance = theirs.radius + stock.agent.radius + 1.1 * stock.max_forward_step + apart
            stock.agent.pos = theirs.pos + np.array([distance, 0.0, 0.0])
            env.agent.pos = stock.agent.pos
            assert stock.near(theirs) == near
            assert (env._gap(ours) < 0.0) == near
    env.close()
    stock.close()


def test_stock_environments_draw_each_others_rooms() -> None:
    """The fault that our render path exists for; when this fails, MiniWorld has mended it."""
    one, two = SeekAvoid(ROOM_1), SeekAvoid(ROOM_2)
    one.reset(seed=0), two.reset(seed=0)
    first = StockSeekAvoid(one)
    before = first.render_obs()
    StockSeekAvoid(two)
    after = first.render_obs()
    one.close(), two.close()
    assert np.abs(before.astype(int) - after.astype(int)).max() > 30


def test_our_environments_draw_their_own_rooms() -> None:
    one, two = SeekAvoid(ROOM_1), SeekAvoid(ROOM_2)
    before, _ = one.reset(seed=0)
    two.reset(seed=1)
    two.step(0)
    after = one.render_obs()
    one.close(), two.close()
    np.testing.assert_array_equal(before, after)


def test_stock_and_our_environments_leave_each_other_alone() -> None:
    env = SeekAvoid(ROOM_1)
    before, _ = env.reset(seed=0)
    other = SeekAvoid(ROOM_2)
    other.reset(seed=3)
    stock = StockSeekAvoid(other)
    stock.reset(seed=0)
    after = env.render_obs()
    env.close(), other.close()
    np.testing.assert_array_equal(before, after)


def test_a_thousand_resets_leak_neither_lists_nor_memory() -> None:
    env = SeekAvoid(tasks.get("sim2sim").unlabeled)

    def free_list() -> int:
        name = int(gl.glGenLists(1))
        gl.glDeleteLists(name, 1)
        return name

    for seed in range(100):
        env.reset(seed=seed)
    gc.collect()
    lists, memory = free_list(), resident_memory()
    for seed in range(1000):
        env.reset(seed=seed)
    gc.collect()
    grown = resident_memory() - memory
    assert free_list() <= lists + 1  # a driver may count the probe's own
    assert grown < 8 * 2**20, f"{grown / 2**20:.1f} MiB"
    env.close()


def test_opening_and_closing_environments_leaks_no_memory() -> None:
    def open_and_close(times: int) -> None:
        for _ in range(times):
            env = SeekAvoid()
            env.reset(seed=0)
            env.close()
            env.close()  # closing twice is harmless

    open_and_close(10)
    gc.collect()
    memory = resident_memory()
    open_and_close(100)
    gc.collect()
    assert resident_memory() - memory < 16 * 2**20


def test_an_environment_works_after_all_others_were_closed() -> None:
    first = SeekAvoid(ROOM_1)
    picture, _ = first.reset(seed=0)
    first.close()
    second = SeekAvoid(ROOM_1)
    again, _ = second.reset(seed=0)
    second.close()
    np.testing.assert_array_equal(picture, again)


def test_making_environments_says_nothing() -> None:
    code = "from darla.envs import make, tasks; [make(tasks.get('conjunction').source).reset(seed=i) for i in range(3)]"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    assert ran.stderr == ""


@pytest.mark.parametrize("size", ["small", "paper"])
def test_an_object_that_is_left_out_would_not_have_been_seen(size: Literal["small", "paper"]) -> None:
    env = SeekAvoid(tasks.get("sim2sim").unlabeled, size=size)
    for seed in range(6):
        env.reset(seed=seed)
        for _ in range(24):
            picture = env.step(0)[0]
            # The camera is still where that picture was taken from; now all objects are drawn.
            env.obs_fb.bind()
            gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
            env.scene.draw()
            np.testing.assert_array_equal(env.obs_fb.resolve(), picture)
    env.close()


def test_depth_map_is_in_meters() -> None:
    env = SeekAvoid()
    env.reset(seed=1)
    env.entities.clear()
    env.agent.pos[:] = (1.0, 0.0, 2.5)
    env.agent.dir, env.agent.cam_pitch = 0.0, 0.0
    env._build()
    depth = env.render_depth()
    env.close()
    # Looking along +x from x = 1 in a room of 5 m: the middle of the picture is the wall, 4 m away.
    assert depth[32, 32, 0] == pytest.approx(4.0, abs=0.01)


def test_larger_pictures_and_the_view_from_above() -> None:
    for view in ("agent", "top"):
        env = make(Domain.of(ROOM_1, SEEK_AVOID), render_mode="rgb_array", view=view)
        env.reset(seed=0)
        picture = env.render()
        env.close()
        assert picture is not None
        assert picture.shape == (256, 256, 3)
        assert picture.std() > 10

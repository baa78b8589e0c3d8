"""SeekAvoid drawn by stock MiniWorld alone: what our own render path is compared with."""

import numpy as np

from darla.envs.seek_avoid.env import SeekAvoid
from darla.envs.seek_avoid.opengl import gl
from darla.envs.seek_avoid.scene import surface_color

from miniworld.entity import MeshEnt  # isort: skip
from miniworld.miniworld import MiniWorldEnv, Room  # isort: skip
from miniworld.params import DEFAULT_PARAMS  # isort: skip


class PaintedRoom(Room):  # type: ignore[misc]
    """A MiniWorld room whose surfaces have a color each, drawn with MiniWorld's own calls."""

    colors: tuple[tuple[float, float, float], ...]

    def _render(self) -> None:
        floor, ceiling, wall = self.colors
        for color, texture, mode, corners, texcs, normals in (
            (floor, self.floor_tex, gl.GL_POLYGON, self.floor_verts, self.floor_texcs, [(0, 1, 0)] * 4),
            (ceiling, self.ceil_tex, gl.GL_POLYGON, self.ceil_verts, self.ceil_texcs, [(0, -1, 0)] * 4),
            (wall, self.wall_tex, gl.GL_QUADS, self.wall_verts, self.wall_texcs, self.wall_norms),
        ):
            gl.glColor3f(*color)
            texture.bind()
            gl.glBegin(mode)
            for corner, texc, normal in zip(corners, texcs, normals, strict=True):
                gl.glNormal3f(*normal)
                gl.glTexCoord2f(*texc)
                gl.glVertex3f(*corner)
            gl.glEnd()


class StockSeekAvoid(MiniWorldEnv):  # type: ignore[misc]
    """A stock MiniWorld environment that shows the world in which a SeekAvoid environment stands."""

    def __init__(self, model: SeekAvoid) -> None:
        self.model = model
        params = DEFAULT_PARAMS.no_random()
        params.set("cam_height", model.agent.cam_height)
        params.set("cam_pitch", model.agent.cam_pitch)
        params.set("cam_fov_y", model.agent.cam_fov_y)
        params.set("forward_step", 0.25)
        side = model.observation_space.shape[0]  # type: ignore[index]
        super().__init__(max_episode_steps=150, obs_width=side, obs_height=side, params=params)

    def _gen_world(self) -> None:
        outline = np.array([[self.model.width, self.model.depth], [self.model.width, 0], [0, 0], [0, self.model.depth]])
        room = PaintedRoom(outline, wall_height=2.0, wall_tex="white", floor_tex="white", ceil_tex="white")
        room.colors = tuple(surface_color(self.model.context, name) for name in ("floor", "ceiling", "wall"))
        self.rooms.append(room)
        for thing in self.model.entities:
            copy = MeshEnt(thing.kind.name, thing.kind.height, static=False)
            self.place_entity(copy, room=room, pos=np.array(thing.pos, dtype=float), dir=thing.dir)
        self.place_entity(
            self.agent, room=room, pos=np.array(self.model.agent.pos, dtype=float), dir=self.model.agent.dir
        )

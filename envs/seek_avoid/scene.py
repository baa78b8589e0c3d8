"""Rendering of a SeekAvoid room: one display list for the room and its objects, and an image from a camera.

Stock MiniWorld compiles every room into display list 1, which all environments of a process share, and draws objects
one vertex list at a time. Here each scene owns one list with the room and all objects,
which is compiled again when an object is collected.
"""

import colorsys
import ctypes
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.envs.domains.factor_space import Context
from darla.envs.seek_avoid.opengl import FrameBuffer, context, gl

from miniworld.miniworld import Room  # isort: skip  (after darla.envs.seek_avoid.opengl, which makes pyglet headless)
from miniworld.objmesh import ObjMesh  # isort: skip
from miniworld.opengl import Texture  # isort: skip
from miniworld.params import DEFAULT_PARAMS  # isort: skip

Color = tuple[float, float, float]

_TEXTURE_FILES = {
    "plain": "white",
    "brick": "brick_wall",
    "wood": "wood",
    "concrete": "concrete",
    "marble": "marble",
    "cinder": "cinder_blocks",
    "stucco": "stucco",
    "tiles": "floor_tiles_bw",
}
# MiniWorld's textures are much darker than white; without this dark objects would be invisible in textured rooms.
_TEXTURE_GAIN = 1.6
_AMBIENT, _DIFFUSE = 0.45, 0.7  # MiniWorld's defaults
# MiniWorld 2.1 adds 1 to the three coordinates of its lamp instead of appending a fourth, so that OpenGL takes them for
# the direction of a distant light. We keep a distant light, as it is what MiniWorld's images show.
LIGHT_UP = 3.5
_NEAR, _FAR = 0.04, 100.0
_SKY = (0.25, 0.82, 1.0, 1.0)


@dataclass(frozen=True)
class SceneObject:
    """One object as it is drawn."""

    mesh: str
    """Name of a MiniWorld mesh."""
    height: float
    """In meters; the mesh is scaled to it."""
    x: float
    z: float
    heading: float
    """Radians, anticlockwise seen from above."""
    tint: Color = (1.0, 1.0, 1.0)
    plain: bool = False
    """Whether the mesh is drawn in `tint` alone, without its texture and its own color."""


@dataclass(frozen=True)
class Camera:
    """Where an image is taken from."""

    x: float
    z: float
    height: float
    heading: float
    """Radians, anticlockwise seen from above; 0 looks along +x."""
    pitch: float
    """Radians, up is positive."""
    fov: float
    """Vertical field of view in degrees."""


def surface_color(looks: Context, surface: str) -> Color:
    """Return the RGB color of `wall`, `floor` or `ceiling`."""
    hue, saturation, value = (looks.number(f"{surface}_{part}") for part in ("hue", "saturation", "value"))
    return colorsys.hsv_to_rgb(hue, saturation, value)


def tint(hue: float, strength: float) -> Color:
    """Return the color that an object's texture is multiplied with: white at strength 0."""
    red, green, blue = (1.0 - strength + strength * part for part in colorsys.hsv_to_rgb(hue, 1.0, 1.0))
    return red, green, blue


def mesh_extent(mesh: str) -> npt.NDArray[np.float32]:
    """Return the largest x, y and z of a MiniWorld mesh in its own units; the context must be open."""
    extent: npt.NDArray[np.float32] = ObjMesh.get(mesh).max_coords
    return extent


def mesh_color(mesh: str) -> Color:
    """Return the color that a MiniWorld mesh multiplies its texture with; the meshes used here have one each."""
    red, green, blue = ObjMesh.get(mesh).vlists[0].colors[:3]
    return red, green, blue


def new_list() -> int:
    """Return a display list that stock MiniWorld will not overwrite."""
    name = int(gl.glGenLists(1))
    # MiniWorld 2.1 deletes and refills list 1 without having reserved it, so we do not use it.
    return name if name != 1 else int(gl.glGenLists(1))


_mesh_lists: dict[tuple[str, bool], int] = {}


def _mesh_list(mesh: str, plain: bool) -> int:
    """Return the list that draws a mesh in the current color; compiled once in a process."""
    if (mesh, plain) not in _mesh_lists:
        loaded = ObjMesh.get(mesh)
        name = new_list()
        gl.glNewList(name, gl.GL_COMPILE)
        for vertices, texture in zip(loaded.vlists, loaded.textures, strict=True):
            if plain:
                Texture.get("white").bind()
            else:
                gl.glBindTexture(texture.target, texture.id)
            gl.glBegin(gl.GL_TRIANGLES)
            points = np.reshape(vertices.vertices, (-1, 3))
            for point, corner, normal in zip(
                points,
                np.reshape(vertices.tex_coords, (-1, 2)),
                np.reshape(vertices.normals, (-1, 3)),
                strict=True,
            ):
                gl.glTexCoord2f(*corner)
                gl.glNormal3f(*normal)
                gl.glVertex3f(*point)
            gl.glEnd()
        gl.glEndList()
        _mesh_lists[mesh, plain] = name
    return _mesh_lists[mesh, plain]


class Scene:
    """A rectangular room with objects in it, ready to be drawn.

    Args:
        width: extent of the room along x, in meters.
        depth: extent of the room along z, in meters.
        height: height of its walls, in meters.
    """

    def __init__(self, width: float, depth: float, height: float) -> None:
        context.acquire()
        context.switch_to()
        self.width, self.depth = width, depth
        self._list = new_list()
        self._light_level = 1.0
        self._textures: tuple[str, str] | None = None
        corners = np.array([[width, depth], [width, 0.0], [0.0, 0.0], [0.0, depth]])
        self.room = Room(corners, wall_height=height, wall_tex="white", floor_tex="white", ceil_tex="white")
        self._open = True

    def build(self, looks: Context, objects: Iterable[SceneObject]) -> None:
        """Compile the room in the context `looks`, with `objects` in it."""
        context.switch_to()
        textures = (looks.name("wall_texture"), looks.name("floor_texture"))
        if textures != self._textures:
            self.room.wall_tex_name, self.room.floor_tex_name = (_TEXTURE_FILES[name] for name in textures)
            self.room._gen_static_data(DEFAULT_PARAMS, None)
            self._textures = textures
        lists = [
            (entry, _mesh_list(entry.mesh, entry.plain), entry.height / float(mesh_extent(entry.mesh)[1]))
            for entry in objects
        ]
        self._light_level = looks.number("light_level")
        gl.glNewList(self._list, gl.GL_COMPILE)
        gl.glEnable(gl.GL_LIGHTING)
        gl.glEnable(gl.GL_LIGHT0)
        gl.glShadeModel(gl.GL_SMOOTH)
        gl.glEnable(gl.GL_COLOR_MATERIAL)
        gl.glColorMaterial(gl.GL_FRONT_AND_BACK, gl.GL_AMBIENT_AND_DIFFUSE)
        gl.glEnable(gl.GL_TEXTURE_2D)
        self._draw_room(looks)
        for scene_object, mesh, scale in lists:
            gl.glPushMatrix()
            gl.glTranslatef(scene_object.x, 0.0, scene_object.z)
            gl.glScalef(scale, scale, scale)
            gl.glRotatef(math.degrees(scene_object.heading), 0.0, 1.0, 0.0)
            own = (1.0, 1.0, 1.0) if scene_object.plain else mesh_color(scene_object.mesh)
            gl.glColor3f(*(part * tinted for part, tinted in zip(own, scene_object.tint, strict=True)))
            gl.glCallList(mesh)
            gl.glPopMatrix()
        gl.glDisable(gl.GL_TEXTURE_2D)
        gl.glEndList()

    def _draw_room(self, looks: Context) -> None:
        room = self.room
        up, down = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
        for surface, texture, kind, corners, texcs, normals in (
            ("floor", room.floor_tex, gl.GL_POLYGON, room.floor_verts, room.floor_texcs, [up] * 4),
            ("ceiling", room.ceil_tex, gl.GL_POLYGON, room.ceil_verts, room.ceil_texcs, [down] * 4),
            ("wall", room.wall_tex, gl.GL_QUADS, room.wall_verts, room.wall_texcs, room.wall_norms),
        ):
            plain = surface == "ceiling" or looks.name(f"{surface}_texture") == "plain"
            gain = 1.0 if plain else _TEXTURE_GAIN
            gl.glColor3f(*(min(1.0, part * gain) for part in surface_color(looks, surface)))
            texture.bind()
            gl.glBegin(kind)
            for corner, texc, normal in zip(corners, texcs, normals, strict=True):
                gl.glNormal3f(*normal)
                gl.glTexCoord2f(*texc)
                gl.glVertex3f(*corner)
            gl.glEnd()

    def light(self, light: tuple[float, float, float]) -> None:
        """Set the direction x, y, z, of any length, that light comes from; the camera must be set already."""
        level = self._light_level
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_POSITION, _floats((*light, 0.0)))
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_AMBIENT, _floats((*[_AMBIENT * level] * 3, 1.0)))
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_DIFFUSE, _floats((*[_DIFFUSE * level] * 3, 1.0)))

    def render(self, frame: FrameBuffer, camera: Camera, light: tuple[float, float, float]) -> npt.NDArray[np.uint8]:
        """Return the image from `camera` in `light` (the x, y, z it comes from), uint8 (height, width, 3)."""
        context.switch_to()
        frame.bind()
        gl.glMatrixMode(gl.GL_PROJECTION)
        gl.glLoadMatrixf(_floats(_perspective(camera.fov, frame.width / frame.height)))
        gl.glMatrixMode(gl.GL_MODELVIEW)
        gl.glLoadMatrixf(_floats(_look(camera)))
        gl.glClearColor(*_SKY)
        gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
        self.light(light)
        gl.glCallList(self._list)
        return frame.resolve()

    def draw(self) -> None:
        """Issue the drawing commands alone, for a caller who has set the camera."""
        gl.glCallList(self._list)

    def close(self) -> None:
        """Free the display list and leave the context; closing twice is harmless."""
        if self._open:
            self._open = False
            context.switch_to()
            gl.glDeleteLists(self._list, 1)
            context.release()


def _floats(values: Sequence[float]) -> Any:
    return (ctypes.c_float * len(values))(*values)


def _perspective(fov: float, aspect: float) -> tuple[float, ...]:
    """Return the column-major projection matrix that `gluPerspective` makes."""
    scale = 1.0 / math.tan(math.radians(fov) / 2.0)
    third, fourth = (_FAR + _NEAR) / (_NEAR - _FAR), 2.0 * _FAR * _NEAR / (_NEAR - _FAR)
    return (scale / aspect, 0, 0, 0, 0, scale, 0, 0, 0, 0, third, -1.0, 0, 0, fourth, 0)


def _look(camera: Camera) -> tuple[float, ...]:
    """Return the column-major view matrix that `gluLookAt` makes of MiniWorld's camera."""
    cos_h, sin_h = math.cos(camera.heading), math.sin(camera.heading)
    cos_p, sin_p = math.cos(camera.pitch), math.sin(camera.pitch)
    right = (sin_h, 0.0, cos_h)
    ahead = (cos_p * cos_h, sin_p, -cos_p * sin_h)
    above = (-sin_p * cos_h, cos_p, sin_p * sin_h)
    eye = (camera.x, camera.height, camera.z)
    rows = (right, above, tuple(-part for part in ahead))
    back = [-sum(part * at for part, at in zip(row, eye, strict=True)) for row in rows]
    columns = [(*(row[axis] for row in rows), 0.0) for axis in range(3)]
    return (*columns[0], *columns[1], *columns[2], *back, 1.0)

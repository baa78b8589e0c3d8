"""Rendering of a SeekAvoid room: a display list for the room and one for each object, and an image from a camera.

Stock MiniWorld compiles every room into display list 1, which all environments of a process share, and draws all
objects, one vertex list at a time. Here each scene owns its lists, which are compiled again when an object is
collected, and calls those of the objects that the camera may see.
"""

import colorsys
import ctypes
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.envs.domains.factor_space import Context
from darla.envs.seek_avoid.opengl import FrameBuffer, context, gl

from miniworld.miniworld import Room  # isort: skip  (after darla.envs.seek_avoid.opengl, which makes pyglet headless)
from miniworld.objmesh import ObjMesh  # isort: skip
from miniworld.params import DEFAULT_PARAMS  # isort: skip

Color = tuple[float, float, float]
Axis = tuple[float, float, float]

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


@lru_cache
def load_mesh(mesh: str) -> ObjMesh:
    """Return a MiniWorld mesh, whose path MiniWorld would resolve anew each time; the context must be open."""
    return ObjMesh.get(mesh)


@lru_cache
def _measures(mesh: str) -> tuple[float, float, Color]:
    """Return the height of a mesh, the radius of the sphere around it, and its color.

    Both are in its own units, and the sphere is centered on its axis, at half its height. The color is what MiniWorld
    multiplies its texture with; the meshes used here have one each.
    """
    loaded = load_mesh(mesh)
    height = float(loaded.max_coords[1])
    points = np.concatenate([np.reshape(vertices.vertices, (-1, 3)) for vertices in loaded.vlists])
    radius = float(np.linalg.norm(points - (0.0, height / 2, 0.0), axis=1).max())
    red, green, blue = loaded.vlists[0].colors[:3]
    return height, radius, (red, green, blue)


def new_list() -> int:
    """Return a display list that stock MiniWorld will not overwrite."""
    name = int(gl.glGenLists(1))
    # MiniWorld 2.1 deletes and refills list 1 without having reserved it, so we do not use it.
    return name if name != 1 else int(gl.glGenLists(1))


_mesh_lists: dict[tuple[str, bool], int] = {}


def _mesh_list(mesh: str, plain: bool) -> int:
    """Return the list that draws a mesh in the current color; compiled once in a process."""
    if (mesh, plain) not in _mesh_lists:
        loaded = load_mesh(mesh)
        name = new_list()
        gl.glNewList(name, gl.GL_COMPILE)
        for vertices, texture in zip(loaded.vlists, loaded.textures, strict=True):
            if not plain:
                gl.glEnable(gl.GL_TEXTURE_2D)
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
            gl.glDisable(gl.GL_TEXTURE_2D)
        gl.glEndList()
        _mesh_lists[mesh, plain] = name
    return _mesh_lists[mesh, plain]


@dataclass(frozen=True)
class _Drawn:
    """What is kept of an object to draw it: its list, and the sphere around it."""

    name: int
    x: float
    y: float
    z: float
    radius: float


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
        self._room_list = new_list()
        self._object_lists: list[int] = []
        self._objects: list[_Drawn] = []
        self._looks: Context | None = None
        self._textures: tuple[str, str] | None = None
        corners = np.array([[width, depth], [width, 0.0], [0.0, 0.0], [0.0, depth]])
        self.room = Room(corners, wall_height=height, wall_tex="white", floor_tex="white", ceil_tex="white")
        self._open = True

    def build(self, looks: Context, objects: Iterable[SceneObject]) -> None:
        """Compile the room in the context `looks`, with `objects` in it."""
        context.switch_to()
        if looks is not self._looks:  # else objects have changed, and nothing else
            self._compile_room(looks)
            self._looks = looks
        drawn = list(objects)
        self._object_lists += [new_list() for _ in range(len(drawn) - len(self._object_lists))]
        self._objects = [self._compile_object(*pair) for pair in zip(self._object_lists, drawn, strict=False)]

    def _compile_room(self, looks: Context) -> None:
        textures = (looks.name("wall_texture"), looks.name("floor_texture"))
        if textures != self._textures:
            self.room.wall_tex_name, self.room.floor_tex_name = (_TEXTURE_FILES[name] for name in textures)
            self.room._gen_static_data(DEFAULT_PARAMS, None)
            self._textures = textures
        level = looks.number("light_level")
        gl.glNewList(self._room_list, gl.GL_COMPILE)
        gl.glEnable(gl.GL_LIGHTING)
        gl.glEnable(gl.GL_LIGHT0)
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_AMBIENT, _floats((*[_AMBIENT * level] * 3, 1.0)))
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_DIFFUSE, _floats((*[_DIFFUSE * level] * 3, 1.0)))
        gl.glShadeModel(gl.GL_SMOOTH)
        gl.glEnable(gl.GL_COLOR_MATERIAL)
        gl.glColorMaterial(gl.GL_FRONT_AND_BACK, gl.GL_AMBIENT_AND_DIFFUSE)
        gl.glDisable(gl.GL_TEXTURE_2D)
        self._draw_room(looks)
        gl.glEndList()

    def _compile_object(self, name: int, scene_object: SceneObject) -> _Drawn:
        """Compile the list of an object."""
        mesh = _mesh_list(scene_object.mesh, scene_object.plain)
        height, radius, color = _measures(scene_object.mesh)
        scale = scene_object.height / height
        gl.glNewList(name, gl.GL_COMPILE)
        gl.glPushMatrix()
        gl.glTranslatef(scene_object.x, 0.0, scene_object.z)
        gl.glScalef(scale, scale, scale)
        gl.glRotatef(math.degrees(scene_object.heading), 0.0, 1.0, 0.0)
        own = (1.0, 1.0, 1.0) if scene_object.plain else color
        gl.glColor3f(*(part * tinted for part, tinted in zip(own, scene_object.tint, strict=True)))
        gl.glCallList(mesh)
        gl.glPopMatrix()
        gl.glEndList()
        return _Drawn(name, scene_object.x, scene_object.height / 2, scene_object.z, scale * radius)

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
            # White times a color is that color, and to look it up at every pixel is half of the time of a plain room.
            if not plain:
                gl.glEnable(gl.GL_TEXTURE_2D)
                texture.bind()
            gl.glBegin(kind)
            for corner, texc, normal in zip(corners, texcs, normals, strict=True):
                gl.glNormal3f(*normal)
                gl.glTexCoord2f(*texc)
                gl.glVertex3f(*corner)
            gl.glEnd()
            gl.glDisable(gl.GL_TEXTURE_2D)

    def light(self, light: tuple[float, float, float]) -> None:
        """Set the direction x, y, z, of any length, that light comes from; the camera must be set already."""
        gl.glLightfv(gl.GL_LIGHT0, gl.GL_POSITION, _floats((*light, 0.0)))

    def render(self, frame: FrameBuffer, camera: Camera, light: tuple[float, float, float]) -> npt.NDArray[np.uint8]:
        """Return the image from `camera` in `light` (the x, y, z it comes from), uint8 (height, width, 3)."""
        context.switch_to()
        frame.bind()
        aspect = frame.width / frame.height
        right, above, ahead = _axes(camera)
        gl.glMatrixMode(gl.GL_PROJECTION)
        gl.glLoadMatrixf(_perspective(camera.fov, aspect))
        gl.glMatrixMode(gl.GL_MODELVIEW)
        gl.glLoadMatrixf(_look(camera, right, above, ahead))
        gl.glClearColor(*_SKY)
        gl.glClear(gl.GL_COLOR_BUFFER_BIT | gl.GL_DEPTH_BUFFER_BIT)
        self.light(light)
        gl.glCallList(self._room_list)
        half = math.atan(aspect * math.tan(math.radians(camera.fov) / 2))
        cos, sin = math.cos(half), math.sin(half)
        for each in self._objects:
            # Left out where the sphere around it lies behind the camera, or left or right of what the camera sees.
            x, y, z = each.x - camera.x, each.y - camera.height, each.z - camera.z
            depth = ahead[0] * x + ahead[1] * y + ahead[2] * z
            if depth > -each.radius and cos * abs(right[0] * x + right[2] * z) - sin * depth < each.radius:
                gl.glCallList(each.name)
        return frame.resolve()

    def draw(self) -> None:
        """Issue the drawing commands alone, for a caller who has set the camera."""
        for name in (self._room_list, *(each.name for each in self._objects)):
            gl.glCallList(name)

    def close(self) -> None:
        """Free the display lists and leave the context; closing twice is harmless."""
        if self._open:
            self._open = False
            context.switch_to()
            for name in (self._room_list, *self._object_lists):
                gl.glDeleteLists(name, 1)
            context.release()


def _floats(values: Sequence[float]) -> Any:
    return (ctypes.c_float * len(values))(*values)


@lru_cache(maxsize=64)
def _perspective(fov: float, aspect: float) -> Any:
    """Return the column-major projection matrix that `gluPerspective` makes."""
    scale = 1.0 / math.tan(math.radians(fov) / 2.0)
    third, fourth = (_FAR + _NEAR) / (_NEAR - _FAR), 2.0 * _FAR * _NEAR / (_NEAR - _FAR)
    return _floats((scale / aspect, 0, 0, 0, 0, scale, 0, 0, 0, 0, third, -1.0, 0, 0, fourth, 0))


def _axes(camera: Camera) -> tuple[Axis, Axis, Axis]:
    """Return the directions that lie to the right of a camera, above and ahead of it."""
    cos_h, sin_h = math.cos(camera.heading), math.sin(camera.heading)
    cos_p, sin_p = math.cos(camera.pitch), math.sin(camera.pitch)
    return (sin_h, 0.0, cos_h), (-sin_p * cos_h, cos_p, sin_p * sin_h), (cos_p * cos_h, sin_p, -cos_p * sin_h)


def _look(camera: Camera, right: Axis, above: Axis, ahead: Axis) -> Any:
    """Return the column-major view matrix that `gluLookAt` makes of MiniWorld's camera."""
    (rx, ry, rz), (ux, uy, uz), (ax, ay, az) = right, above, ahead
    x, y, z = camera.x, camera.height, camera.z
    back = (-(rx * x + ry * y + rz * z), -(ux * x + uy * y + uz * z), ax * x + ay * y + az * z)
    return _floats((rx, ux, -ax, 0.0, ry, uy, -ay, 0.0, rz, uz, -az, 0.0, *back, 1.0))

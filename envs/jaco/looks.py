"""What the factors of a context do to the arm, the target and the table."""

import colorsys
from typing import Any

from darla.envs.control_suite.backgrounds import Background
from darla.envs.control_suite.looks import Looks
from darla.envs.control_suite.tasks import SceneParts
from darla.envs.domains.factor_space import Context
from darla.envs.hsv import adjusted, adjusted_pixels

TARGET = "target_site"
"""Name of the sphere that the hand is to be brought to."""
_RED = (1.0, 0.0, 0.0)
"""Its color in dm_control."""
_REPEATED = 3
"""Pixels of the texture, on a side, that are alike: 2 mm of the table, less than a pixel of the image shows."""


class JacoLooks(Looks):
    """Paints the arm, the sphere and the table; see `Looks` for light and camera."""

    surface = "table"

    def __init__(self, model: Any, scene: SceneParts) -> None:
        super().__init__(model, scene)
        names = [model.material(number).name for number in range(model.nmat)]
        # The arm's shells are of a dark and a light gray: their brightness stays apart in every color.
        self._grays = {number: float(model.mat_rgba[number, 0]) for number, name in enumerate(names) if "gray" in name}
        self._target = int(model.site(TARGET).id)
        self._side = int(model.tex_width[self.ground_texture])

    def paint_body(self, context: Context) -> None:
        """Give the arm and the sphere their colors."""
        hue, saturation = context.number("arm_hue"), context.number("arm_saturation")
        for material, gray in self._grays.items():
            value = min(1.0, gray * context.number("arm_brightness"))
            self._model.mat_rgba[material, :3] = colorsys.hsv_to_rgb(hue, saturation, value)
        color = adjusted(_RED, context.number("object_hue"), context.number("object_brightness"))
        self._model.site_rgba[self._target, :3] = color

    def ground_looks(self, context: Context) -> tuple[object, ...]:
        """Return the values that decide the table's texture."""
        texture = context.name("table_texture"), int(context.number("table_texture_number"))
        return *super().ground_looks(context), *texture

    def ground_pixels(self, context: Context) -> Any:
        """Return the table's texture, uint8 (pixels, 3)."""
        texture = context.name("table_texture")
        if texture == "plain":
            return super().ground_pixels(context)
        coarse = self._side // _REPEATED
        drawn = Background(texture, int(context.number("table_texture_number")), coarse).draw(0.0)
        drawn = adjusted_pixels(drawn, context.number("table_hue"), context.number("table_brightness"))
        return drawn.repeat(_REPEATED, 0).repeat(_REPEATED, 1).reshape(-1, 3)

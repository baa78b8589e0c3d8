"""The Jaco arm of dm_control, in other colors, light and textures and from other cameras."""

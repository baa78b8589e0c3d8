"""Ground-truth image data: images that are a function of a few factors."""

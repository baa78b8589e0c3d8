"""Vectorized environments: in this process or in workers, with images, codes or states."""

"""The worlds of darla, one module each; every module here registers its world."""

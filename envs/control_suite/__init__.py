"""Tasks of DeepMind's control suite from pixels, with colors, light, camera and background as factors."""

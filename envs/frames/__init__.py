"""Frames: images of an unlabelled domain on disk, with the factors and the state behind each."""

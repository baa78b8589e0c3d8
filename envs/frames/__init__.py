"""Frames: images of an unlabeled domain on disk, with the factors and the state behind each."""

"""Agents of other software, and our agents for other software: SB3 zips, ONNX, and anything that predicts."""

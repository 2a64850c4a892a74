"""DIGIT: two interacting hands from one picture, as part segmentation fused into 2.5D pose."""

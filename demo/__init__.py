"""Digit Live: the desktop application around the DIGIT network."""

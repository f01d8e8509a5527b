"""A load of frames: lanes that make and count them, and what is measured."""

"""The kit's halves of a disk: a frontend and a backend that can do anything."""

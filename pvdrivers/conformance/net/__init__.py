"""The kit's halves of a vif: a frontend and a backend that can do anything."""

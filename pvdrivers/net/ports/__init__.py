"""Where the frames of a vif go to and come from."""

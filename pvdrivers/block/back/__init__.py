"""A disk's backend: from its nodes to the answers on its rings."""

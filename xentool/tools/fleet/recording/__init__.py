"""Captures of many hosts that begin together."""

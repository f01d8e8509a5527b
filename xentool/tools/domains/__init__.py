"""Domains: one model of them, and the two toolstacks that fill it."""

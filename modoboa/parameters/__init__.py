"""Stable import paths for plugins."""

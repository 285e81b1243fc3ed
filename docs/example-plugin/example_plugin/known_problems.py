"""Repairs that the plugin knows, for ``modo repair``: none."""

known_problems = []

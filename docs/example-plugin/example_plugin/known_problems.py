"""Repairs that the plugin knows."""

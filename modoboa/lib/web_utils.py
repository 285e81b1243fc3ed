"""Stable import path for plugins: answers and sizes."""

from core.plugin_answers import render_error, render_to_json_response, size2integer

__all__ = ["render_error", "render_to_json_response", "size2integer"]

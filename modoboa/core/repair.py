"""Stable import path for plugins: problems that ``modo repair`` finds."""

from core.repair import Problem

__all__ = ["Problem"]

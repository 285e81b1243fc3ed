"""The command that moves mail directories, killed and failed at each of its calls to the system.

``python -m tests.sweep --help``; docs/reliability.md has the result of a whole run.
"""

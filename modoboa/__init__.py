"""Import paths that plugins may rely on. Nothing lives here: every module re-exports."""

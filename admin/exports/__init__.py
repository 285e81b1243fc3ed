"""Files that the panel writes for mail servers."""

"""Outside worlds: the configuration of Postfix."""

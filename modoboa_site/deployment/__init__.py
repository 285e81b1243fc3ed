"""``modoboa-admin.py``: an instance of the panel out of the installed package."""

# What mod_wsgi calls: the panel, with the variables of its file.

import os
from pathlib import Path

from modoboa_site import environment

environment.read_file(Path("@environment_file@"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "@settings@")

from @wsgi@ import application

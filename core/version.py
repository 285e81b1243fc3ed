"""The version of the panel; the distribution takes it from here, too."""

from typing import Final

VERSION: Final = "0.1.0"

"""Settings of the panel that bench/api.py asks: one view more."""

from tests.settings import *  # noqa: F403  those of the tests, which know the database

ROOT_URLCONF = "bench.api_urls"

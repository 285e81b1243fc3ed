"""Distribution of the panel: ``pip install .`` for the base, ``pip install ".[postgresql]"`` for more.

Metadata lives here and not in pyproject.toml, so that requirements.txt stays the one list of dependencies.
"""

from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

TOP = Path(__file__).parent
APPS = ["core", "parameters", "limits", "admin", "relaydomains", "modoboa", "modoboa_site"]
# Data without code, installed beside the apps because the settings look for it there.
DATA = [name for name in ("templates", "static", "locale") if (TOP / name).is_dir()]


def base_requirements() -> list[str]:
    """Lines of requirements.txt, without the PostgreSQL driver: which build of it is an extra's choice."""
    lines = (line.split("#")[0].strip() for line in (TOP / "requirements.txt").read_text().splitlines())
    return [line for line in lines if line and not line.startswith("psycopg2-binary")]


setup(
    name="modoboa",
    version=run_path(str(TOP / "core" / "version.py"))["VERSION"],
    description="Mail hosting panel: domains, mailboxes, aliases and quotas for Postfix and Dovecot",
    long_description=(TOP / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="ISC",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[*find_packages(include=[pattern for app in APPS for pattern in (app, f"{app}.*")]), *DATA],
    package_data={"": ["**/*"]},
    exclude_package_data={"": ["**/*.pyc", "**/__pycache__/*"]},
    zip_safe=False,
    install_requires=base_requirements(),
    entry_points={"console_scripts": ["modoboa-admin.py = modoboa_site.deployment.command_line:main"]},
    extras_require={
        # The two builds of psycopg2 own the same module: take one, never both.
        "postgresql": ["psycopg2>=2.9.11,<3"],
        "postgresql-binary": ["psycopg2-binary>=2.9.11,<3"],
        "mysql": ["mysqlclient>=2.2.8,<3"],
        "mysql-pure": ["PyMySQL>=1.2,<2"],
    },
)

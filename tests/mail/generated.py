"""What people run before they copy files: the generator of complete configurations, with a certificate of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command

from tests.servers.owner import mailbox_owner
from tests.servers.packages import program
from tests.servers.processes import run

VERSIONS = ("2.3", "2.4")
HOST_NAME = "mx.panel.test"


def generate(directory: Path, version: str, mail_root: Path, url: str, **options: Any) -> None:
    """Write both servers' files to *directory*, to be used where they lie."""
    directory.mkdir(exist_ok=True)
    certificate, key = make_certificate(directory)
    values = {
        "destdir": str(directory),
        "dburl": url,
        "hostname": HOST_NAME,
        "mail_root": str(mail_root),
        "mail_owner": mailbox_owner().pw_name,
        "dovecot_directory": str(directory / f"dovecot-{version}"),
        "tls_certificate": str(certificate),
        "tls_key": str(key),
    }
    call_command("generate_mail_config", **values | options)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Signed by itself: certificate and key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    style = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={HOST_NAME}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    run([program("openssl"), "req", "-x509", "-days", "3", *style, *files])
    return certificate, key

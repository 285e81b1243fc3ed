"""Web servers in front of the panel, on private ports, from the files that it generates."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from .packages import program
from .ports import ReservedPort
from .processes import Server, run, tail

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_WAIT_S = 30


@dataclass(frozen=True)
class Answer:
    """What a browser would see."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Visitor:
    """Somebody with cookies, who reaches `host` at a port of this machine and trusts one certificate."""

    host: str
    port: int
    certificate: Path
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, values: Mapping[str, str], **headers: str) -> Answer:
        """Send a form, with the token of the page that it is on."""
        token = _TOKEN.search(self.get(path).body)
        body = urlencode({**values, "csrfmiddlewaretoken": token[1] if token else ""})
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"https://{self.host}{path}",
        }
        return self._ask("POST", path, body, headers)

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=_WAIT_S)
        connection = http.client.HTTPConnection(self.host)
        connection.sock = context.wrap_socket(plain, server_hostname=self.host)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told |= {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        try:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or ():
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            return Answer(answer.status, dict(answer.headers), answer.read().decode(errors="replace"))
        finally:
            connection.close()


def is_of_a_panel(variable: str) -> bool:
    """Whether it would change the settings of another panel."""
    return variable.startswith(("MODOBOA_", "DJANGO_")) or variable in {"DATABASE_URL", "PYTHONPATH"}


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def on_private_ports(text: str, tls: int, plain: int) -> str:
    """A generated configuration of nginx or Apache, for this machine's own ports instead of those of the world."""
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    return (
        text.replace("listen 443", f"listen 127.0.0.1:{tls}")
        .replace("listen 80", f"listen 127.0.0.1:{plain}")
        .replace("*:443", f"127.0.0.1:{tls}")
        .replace("*:80", f"127.0.0.1:{plain}")
    )


NGINX = """
daemon off;
user www-data;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {site};
}}
"""
APACHE = """
ServerRoot {directory}
ServerName localhost
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache-errors.log
Mutex file:{directory} default
WSGISocketPrefix {directory}/wsgi
Listen 127.0.0.1:{tls}
Listen 127.0.0.1:{plain}
User www-data
Group www-data
{modules}
Include {site}
"""
APACHE_MODULES = ("mpm_event", "authn_core", "authz_core", "alias", "headers", "ssl", "wsgi")


@contextmanager
def front(kind: str, directory: Path, site: str) -> Iterator[tuple[list[str], int, int]]:
    """The command of nginx or Apache with the generated text `site`, and its ports for TLS and without."""
    directory.mkdir()
    directory.chmod(0o755)
    with ReservedPort() as tls, ReservedPort() as plain:
        (directory / "site.conf").write_text(on_private_ports(site, tls.number, plain.number))
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in APACHE_MODULES
        )
        text = (NGINX if kind == "nginx" else APACHE).format(
            directory=directory,
            site=directory / "site.conf",
            tls=tls.number,
            plain=plain.number,
            modules=modules,
        )
        main = directory / "main.conf"
        main.write_text(text)
        if kind == "nginx":
            parameters = Path("/etc/nginx/uwsgi_params").read_text()
            (directory / "uwsgi_params").write_text(parameters)
            command = [program("nginx"), "-p", str(directory), "-c", str(main)]
        else:
            command = [program("apache2"), "-d", str(directory), "-f", str(main)]
        yield command, tls.number, plain.number


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, ports: Sequence[int] = (), **env: str
) -> Iterator[None]:
    """A server, until the end of the block; ready when it accepts connections. Nothing tells it of the tests' panel."""
    clean = [word for name in os.environ if is_of_a_panel(name) for word in ("-u", name)]
    server = Server(name, [program("env"), *clean, *command], log=log, env=env)
    try:
        server.wait_until(lambda: all(map(accepts, ports)))
        yield
    except AssertionError as error:
        error.add_note(f"{name} says:\n{tail(log)}")
        raise
    finally:
        server.stop()


def complaints(command: Sequence[str]) -> str:
    """What a program says about its configuration; raises ServerError when it refuses it."""
    done = run(command)
    return (done.stdout + done.stderr).decode()

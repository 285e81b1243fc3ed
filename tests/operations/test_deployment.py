"""An instance of the installed package, and the files that run it, read and run by the real programs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.mail.generated import make_certificate
from tests.servers.database import Engine
from tests.servers.engines import private_server
from tests.servers.packages import give_up, is_root, program, require_servers
from tests.servers.ports import ReservedPort
from tests.servers.processes import becomes_true, run, short_directory
from tests.servers.web import Visitor, complaints, front, is_of_a_panel, running

# One installation for all of them.
pytestmark = [pytest.mark.any_engine, pytest.mark.xdist_group("deployment")]

TOP = Path(__file__).resolve().parents[2]
SOURCES = (
    *("core", "parameters", "limits", "admin", "relaydomains", "modoboa", "modoboa_site"),
    "templates",
    "static",
)
HOST = "mx.panel.test"  # the name in the certificate
PASSWORD = "Correct-Horse-7"
# Debian's own, which mod_wsgi and uWSGI are built for.
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True)
class Installation:
    """A virtual environment with the package in it, as pip leaves it."""

    top: Path

    @property
    def python(self) -> Path:
        return self.top / "env/bin/python"

    def run(
        self, *words: str, expect: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the directory of the installation."""
        clean = {name: value for name, value in os.environ.items() if not is_of_a_panel(name)}
        done = subprocess.run(  # noqa: S603  programs of the environment
            [str(self.top / "env/bin" / words[0]), *words[1:]],
            cwd=self.top,
            env=clean | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done


def has_own_minor_version(python: Path) -> bool:
    """Whether the libraries of the tests fit an interpreter."""
    question = [str(python), "-c", "import sys, venv; print(*sys.version_info[:2])"]
    said = run(question, expect=(0, 1)).stdout.decode()
    return said.split() == [str(number) for number in sys.version_info[:2]]


def copy_libraries(place: Path) -> None:
    """pip, what requirements.txt names, and what that needs: web servers may not read the environment of the tests."""
    lines = (line.partition("#")[0].strip() for line in (TOP / "requirements.txt").read_text().splitlines())
    left = [Requirement("pip"), *(Requirement(line) for line in lines if line)]
    seen = set()
    while left:
        wanted = left.pop()
        name, extras = canonicalize_name(wanted.name), ["", *sorted(wanted.extras)]
        if (name, *extras) in seen:
            continue
        seen.add((name, *extras))
        distribution = metadata.distribution(name)
        left += [
            each
            for each in map(Requirement, distribution.requires or ())
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
        ]
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            # What virtualenv brought along lists files that are not there.
            if ".." not in file.parts and source.is_file():
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, place / file)  # of the same time, so that what is compiled stays valid


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """`pip install .` of a clean copy into an empty environment; libraries come from that of the tests, not the net."""
    if int(metadata.version("setuptools").partition(".")[0]) < 77:
        give_up("the package needs setuptools 77 or newer to be built (requirements-test.txt)")
    with short_directory() as top:
        source = top / "source"
        source.mkdir()
        for name in SOURCES:
            shutil.copytree(TOP / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "requirements.txt"):
            shutil.copy(TOP / name, source)
        base = SYSTEM_PYTHON if has_own_minor_version(SYSTEM_PYTHON) else Path(sys.executable)
        run([str(base), "-m", "venv", "--without-pip", str(top / "env")])
        [packages] = (top / "env/lib").glob("python3*/site-packages")
        libraries = [
            str(path) for path in map(Path, sys.path) if path != TOP and list(path.glob("*.dist-info"))
        ]
        copy_libraries(packages)
        pip = [sys.executable, "-m", "pip", "--python", str(top / "env/bin/python"), "install", "--quiet"]
        offline = [
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            str(source),
        ]
        run([*pip, *offline], env={"PYTHONPATH": os.pathsep.join(libraries)})
        # As pip would write it, had it installed gunicorn here.
        script = top / "env/bin/gunicorn"
        script.write_text(f"#!{top}/env/bin/python\nfrom gunicorn.app.wsgiapp import run\nrun()\n")
        script.chmod(0o755)
        yield Installation(top)


@dataclass(frozen=True)
class Instance:
    """What `deploy` made, and the files that were generated in it."""

    installation: Installation
    path: Path
    files: Path
    certificate: Path
    bind: int

    def text(self, name: str) -> str:
        return (self.files / name).read_text()

    def believed(self) -> dict[str, str]:
        """Variables of the service."""
        lines = re.findall(r"^Environment=(.*)$", self.text("systemd/modoboa.service"), re.MULTILINE)
        return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def deploy(installation: Installation, name: str, url: str, *, with_static: bool) -> None:
    secret = installation.top / "databases"
    secret.write_text(f"default:{url}\n")
    done = installation.run(
        *("modoboa-admin.py", "deploy", name, "--dburl-file", str(secret), "--domain", HOST),
        *(("--collectstatic",) if with_static else ()),
        env={"MODOBOA_ADMIN_PASSWORD": PASSWORD},
    )
    assert (done.stdout, done.stderr) == ("", ""), "nothing was asked, nothing went wrong"


@contextmanager
def instance(
    installation: Installation, name: str, url: str, *, with_static: bool = True
) -> Iterator[Instance]:
    deploy(installation, name, url, with_static=with_static)
    path, files = installation.top / name, installation.top / f"{name}-files"
    certificate, key = make_certificate(path)
    with ReservedPort() as bind:
        installation.run(
            *("python", f"{name}/manage.py", "generate_deployment_files", f"--destdir={files}"),
            *(f"--tls-certificate={certificate}", f"--tls-key={key}", f"--bind=127.0.0.1:{bind.number}"),
            *(f"--place={files}/modoboa", "--user=www-data", "--group=www-data"),
        )
        made = Instance(installation, path, files, certificate, bind.number)
        if is_root():
            run([program("chown"), "-R", "www-data:www-data", str(path)])
        yield made


@pytest.fixture(scope="module")
def panel(installation: Installation) -> Iterator[Instance]:
    """On SQLite."""
    if not is_root():
        give_up("only root can start web servers that change their user")
    with instance(installation, "panel", f"sqlite:///{installation.top}/panel/.data/panel.sqlite3") as made:
        yield made


def sign_in(visitor: Visitor) -> None:
    """The way of everybody, with a real client; wrong claims about where he comes from change nothing."""
    page = visitor.get("/accounts/login/")
    assert page.status == 200
    assert "Strict-Transport-Security" in page.headers, "the panel knows that it is reached by TLS"
    lies = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "http"}
    answer = visitor.post("/accounts/login/", {"username": "admin", "password": PASSWORD}, **lies)
    assert answer.status == 302, answer.body
    assert "__Host-sessionid" in visitor.cookies
    assert "Sign out" in visitor.get("/admin/domains/").body or "Sign out" in visitor.get("/domains/").body
    [style] = re.findall(r'href="(/sitestatic/css/modoboa\.[0-9a-f]+\.css)"', page.body)
    assert visitor.get(style).headers["Cache-Control"].startswith("max-age=31"), "it may be kept for ever"
    assert visitor.get("/media/panel.env").status == 404


@contextmanager
def gunicorn(made: Instance) -> Iterator[None]:
    """As the service starts it."""
    [start] = re.findall(r"^ExecStart=(.*)$", made.text("systemd/modoboa.service"), re.MULTILINE)
    log = made.files / "gunicorn.log"
    with running("gunicorn", shlex.split(start), log, [made.bind], **made.believed()):
        yield


@contextmanager
def served(made: Instance, kind: str, site: str) -> Iterator[tuple[Visitor, int]]:
    """Behind a web server; also the port without TLS."""
    directory = made.files / f"{kind}-{Path(site).stem}"
    with front(kind, directory, made.text(site)) as (command, tls, plain):
        foreground = ["-DFOREGROUND"] if kind == "apache2" else []
        with running(kind, [*command, *foreground], directory / "log", [tls, plain]):
            yield Visitor(HOST, tls, made.certificate), plain


def addresses_of_sign_ins(made: Instance) -> set[str]:
    code = (
        "from core.models import Log; import json;"
        "print(json.dumps(sorted(set(Log.objects.filter(logger='modoboa.auth').values_list('address', flat=True)))))"
    )
    done = made.installation.run(
        "python", f"{made.path.name}/manage.py", "shell", "--verbosity=0", "-c", code
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def first_lines(port: int, path: str) -> str:
    """Of an answer without TLS."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        return plain.makefile("r", encoding="latin-1", newline="\r\n").read()


# --- an instance ------------------------------------------------------------------------------------------------


def test_nobody_else_reads_the_secrets_of_an_instance(panel: Instance) -> None:
    modes = {
        str(path.relative_to(panel.path)): stat.S_IMODE(path.stat().st_mode)
        for path in panel.path.rglob("*")
        if "sitestatic" not in path.parts and "__pycache__" not in path.parts
    }
    assert modes["panel.env"] == 0o600
    assert modes["manage.py"] == 0o755
    assert modes["panel/settings.py"] == 0o644
    assert (modes["media"], modes[".data"]) == (0o750, 0o700)
    assert modes[".data/panel.sqlite3"] == 0o600
    assert not [name for name, mode in modes.items() if mode & stat.S_IWOTH]
    variables = (panel.path / "panel.env").read_text()
    secret = re.search(r"^MODOBOA_SECRET_KEY=(.+)$", variables, re.MULTILINE)
    assert secret is not None
    everything = "".join(
        path.read_text() for path in panel.path.rglob("*.py") if "sitestatic" not in path.parts
    )
    assert secret[1] not in everything


def test_an_instance_passes_the_checks_of_a_deployment(panel: Instance) -> None:
    words = ("python", "panel/manage.py", "check", "--deploy", "--fail-level", "WARNING")
    panel.installation.run(*words, env={"MODOBOA_BEHIND_TLS_PROXY": "yes"})


def test_the_name_of_the_site_is_changed_in_its_file(panel: Instance) -> None:
    before = (panel.path / "panel.env").read_bytes()
    panel.installation.run("python", "panel/manage.py", "set_default_site", "other.panel.test")
    assert b"MODOBOA_SITE_HOST=other.panel.test\n" in (panel.path / "panel.env").read_bytes()
    assert stat.S_IMODE((panel.path / "panel.env").stat().st_mode) == 0o600
    panel.installation.run("python", "panel/manage.py", "set_default_site", HOST)
    assert sorted((panel.path / "panel.env").read_bytes().split()) == sorted(before.split())


def test_a_database_that_does_not_answer_leaves_no_riddle(installation: Installation) -> None:
    url = "default:postgres://panel:hush-hush@127.0.0.1:9/panel"
    words = ("modoboa-admin.py", "deploy", "nobody", "--dburl", url, "--domain", HOST)
    done = installation.run(*words, expect=1)
    assert "127.0.0.1" in done.stderr, "what the database driver said"
    assert "manage.py migrate" in done.stderr
    assert "manage.py load_initial_data" in done.stderr, "how to go on"
    assert str(installation.top / "nobody") in done.stderr
    assert "hush-hush" not in done.stderr + done.stdout
    again = installation.run(*words, expect=1)
    assert "exists already" in again.stderr


def test_a_plugin_is_installed_by_its_name_and_changes_the_settings(installation: Installation) -> None:
    wheels = installation.top / "wheels"
    wheels.mkdir()
    info = "modoboa_try-1.dist-info"
    with zipfile.ZipFile(wheels / "modoboa_try-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("modoboa_try/__init__.py", "")
        wheel.writestr("modoboa_try/settings.py", "def apply(settings):\n    settings['TRIED'] = 'it'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: modoboa-try\nVersion: 1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    words = ("modoboa-admin.py", "deploy", "plugged", "--domain", HOST, "--extensions", "modoboa-try")
    database = {"DATABASE_URL": f"sqlite:///{installation.top}/plugged.sqlite3"}
    offline = database | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    done = installation.run(*words, env=offline)
    assert re.fullmatch(r"Super administrator admin, password \S{16}\n", done.stdout)
    ask = "from django.conf import settings as s; print(s.TRIED, s.MODOBOA_APPS); "
    ask += "from django.apps import apps; print(apps.is_installed('modoboa_try'))"
    said = installation.run("python", "plugged/manage.py", "shell", "--verbosity=0", "-c", ask).stdout
    assert said.splitlines()[-2:] == ["it ['modoboa_try']", "True"]
    words = ("modoboa-admin.py", "deploy", "other", "--domain", HOST, "--extensions", "modoboa-none")
    missing = installation.run(*words, expect=1, env=offline)
    assert "modoboa-none" in missing.stderr
    assert not (installation.top / "other").exists()


# --- the generated files ----------------------------------------------------------------------------------------


def test_the_panel_is_served_by_nginx_and_gunicorn(panel: Instance) -> None:
    require_servers("nginx-light")
    with gunicorn(panel), served(panel, "nginx", "nginx/nginx-gunicorn.conf") as (visitor, plain):
        sign_in(visitor)
        assert f"Location: https://{HOST}/x?y" in first_lines(plain, "/x?y")
    assert addresses_of_sign_ins(panel) == {"127.0.0.1"}


def test_the_panel_is_served_on_postgresql(installation: Installation, panel: Instance) -> None:
    require_servers("postgresql", "nginx-light")
    with ExitStack() as stack:
        database = stack.enter_context(private_server(Engine.POSTGRESQL, installation.top))
        made = stack.enter_context(instance(installation, "onpostgres", database.url, with_static=False))
        with (made.path / "panel.env").open("a") as variables:
            variables.write(f"MODOBOA_STATIC_ROOT={panel.path}/sitestatic\n")
        stack.enter_context(gunicorn(made))
        visitor, _plain = stack.enter_context(served(made, "nginx", "nginx/nginx-gunicorn.conf"))
        sign_in(visitor)


def test_the_panel_is_served_by_nginx_and_uwsgi(panel: Instance) -> None:
    require_servers("nginx-light", "uwsgi")
    require_fitting_python()
    path = panel.files / "uwsgi.sock"
    ini = panel.files / "modoboa/uwsgi.ini"
    ini.write_text(ini.read_text().replace("/run/modoboa/uwsgi.sock", str(path)))
    site = panel.files / "nginx/nginx-uwsgi.conf"
    site.write_text(site.read_text().replace("/run/modoboa/uwsgi.sock", str(path)))
    command = ["/usr/bin/uwsgi", "--ini", str(ini), "--uid", "www-data", "--gid", "www-data"]
    with (
        running("uwsgi", command, panel.files / "uwsgi.log"),
        served(panel, "nginx", "nginx/nginx-uwsgi.conf") as (visitor, _plain),
    ):
        assert becomes_true(path.exists, limit_s=30)
        sign_in(visitor)
    assert addresses_of_sign_ins(panel) == {"127.0.0.1"}


def test_the_panel_is_served_by_apache(panel: Instance) -> None:
    require_servers("apache2")
    require_fitting_python()
    with served(panel, "apache2", "apache2/modoboa.conf") as (visitor, _plain):
        sign_in(visitor)
        assert visitor.get("/api/v1/domains/", Authorization="Token nonsense").status == 401
    assert addresses_of_sign_ins(panel) == {"127.0.0.1"}


def require_fitting_python() -> None:
    if not has_own_minor_version(SYSTEM_PYTHON):
        give_up("the servers of this system run another Python than the tests")


@pytest.mark.parametrize(
    ("kind", "site"),
    [
        ("nginx", "nginx/nginx-gunicorn.conf"),
        ("nginx", "nginx/nginx-uwsgi.conf"),
        ("apache2", "apache2/modoboa.conf"),
    ],
)
def test_web_servers_have_nothing_to_say_about_their_files(panel: Instance, kind: str, site: str) -> None:
    require_servers("nginx-light" if kind == "nginx" else kind)
    with front(kind, panel.files / f"{kind}-check-{Path(site).stem}", panel.text(site)) as (
        command,
        _tls,
        _plain,
    ):
        said = complaints([*command, "-t"])
    assert not re.search(
        r"warn|error|emerg|deprecated", said.replace("apache-errors.log", ""), re.IGNORECASE
    ), said


def test_systemd_has_nothing_to_say_about_its_units(panel: Instance) -> None:
    require_servers("systemd")
    units = sorted(
        str(path) for path in (panel.files / "systemd").glob("modoboa*.*") if path.suffix != ".chk"
    )
    assert len(units) > 10
    assert complaints(["systemd-analyze", "verify", "--man=no", *units]) == ""


def test_services_are_shut_in(panel: Instance) -> None:
    require_servers("systemd")
    for path in (panel.files / "systemd").glob("modoboa*.service"):
        said = complaints(["systemd-analyze", "security", "--offline=yes", "--threshold=30", str(path)])
        assert "exposure level" in said


def test_every_command_that_must_run_is_in_both_timetables(panel: Instance) -> None:
    cron, units = panel.text("cron.d/modoboa"), ""
    for path in (panel.files / "systemd").glob("*.service"):
        units += path.read_text()
    for command in (
        *("modo publish --due", "modo publish --check", "handle_mailbox_operations", "clearsessions"),
        *("cleanlogs", "recount", "run_import --sweep", "collect_last_logins", "clean_inactive_accounts"),
    ):
        assert re.search(rf"^#?[*0-9].*  \S+  eval .*{command}", cron, re.MULTILINE), command
        assert re.search(rf"^ExecStart=.* {command}", units, re.MULTILINE), command
    assert not re.search(r"\sroot\s+eval|^User=root", cron + units, re.MULTILINE), "nothing runs as root"
    assert "User=vmail" in panel.text("systemd/modoboa-mail-directories.service")


def test_a_line_of_cron_runs(panel: Instance) -> None:
    lines = panel.text("cron.d/modoboa").splitlines()
    [setting] = [line.removeprefix("panel=") for line in lines if line.startswith("panel=")]
    for words in ("clearsessions", "cleanlogs"):
        assert f'eval "$panel {words}"' in panel.text("cron.d/modoboa")
        command = ["env", "-i", f"panel={setting}", f"PATH={os.environ['PATH']}", "/bin/sh", "-c"]
        done = run([*command, f'eval "$panel {words}"'], expect=(0, 1))
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), words


def test_an_edited_file_is_left_alone_and_named(panel: Instance) -> None:
    words = ["python", "panel/manage.py", "generate_deployment_files", f"--destdir={panel.files}-again"]
    panel.installation.run(*words)
    edited = Path(f"{panel.files}-again/nginx/nginx-gunicorn.conf")
    edited.write_text(edited.read_text() + "# mine\n")
    done = panel.installation.run(*words, expect=1)
    assert str(edited) in done.stderr
    assert edited.read_text().endswith("# mine\n")
    panel.installation.run(*words, "--force-overwrite")
    assert "# mine" not in edited.read_text()


@pytest.mark.parametrize(
    "values",
    [
        {"hostname": "panel"},
        {"hostname": "panel.example.org; return 200"},
        {"bind": "0.0.0.0:80"},
        {"user": "root\nUser=root"},
        {"tls_key": "/etc/ssl/a key.pem"},
        {"mail_root": "relative"},
    ],
)
def test_a_value_that_could_break_out_of_its_line_is_refused(tmp_path: Path, values: dict[str, str]) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(CommandError):
        call_command("generate_deployment_files", destdir=str(nowhere), **{"hostname": HOST, **values})
    assert not nowhere.exists()

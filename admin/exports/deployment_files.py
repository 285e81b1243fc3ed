"""What runs the panel: web servers, services, timers. Complete files to copy, with comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import get_commands
from django.urls import reverse
from django.utils.translation import gettext as _

from admin.exports.credentials import Credentials, ExportError
from admin.exports.generated_files import OPEN_MODE, GeneratedFiles, write_all
from admin.exports.texts import filled_in, require_host_name, require_paths, required_user_name
from admin.lookups import Engine
from core.command_line import manage, python
from core.management.commands.modo import subcommands

CHECKSUM_FILE = "modoboa-deployment.chk"
_TEXTS = "deployment"
_BIND = re.compile(r"(127\.0\.0\.1|\[::1\]|localhost):[0-9]{1,5}", re.ASCII)
# Seconds that one answer may take: exports of very many objects, uploads over slow lines.
_PATIENCE_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What differs between machines. Raises :class:`ExportError` for values that the files cannot hold.

    *environment_file* has the panel's variables, *mail_environment_file* those for the owner of mail.
    """

    host_name: str
    user: str = "modoboa"
    group: str = "modoboa"
    web_group: str = "www-data"
    mail_owner: str = "vmail"
    mail_root: str = "/srv/vmail"
    certificate: str
    key: str
    bind: str = "127.0.0.1:8001"
    environment_file: str
    mail_environment_file: str = "/etc/modoboa/directories.env"
    place: str = "/etc/modoboa"

    def __post_init__(self) -> None:
        require_host_name(self.host_name)
        require_paths(
            self.certificate,
            self.key,
            self.environment_file,
            self.mail_environment_file,
            self.mail_root,
            self.place,
            str(settings.INSTANCE_DIR),
            *(word for word in manage() if word.startswith("/")),
        )
        for name in (self.user, self.group, self.web_group, self.mail_owner):
            required_user_name(name)
        if not _BIND.fullmatch(self.bind):
            message = _(
                "gunicorn must listen on this machine only, such as 127.0.0.1:8001, not on %(place)r."
            )
            raise ExportError(message % {"place": self.bind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A command that must run again and again: when, for cron and for systemd, and as whom."""

    name: str
    command: tuple[str, ...]
    why: str
    cron: str
    calendar: str
    delay_s: int = 0
    by_mail_owner: bool = False
    # Not everybody wants it: in cron it is commented out, its systemd timer is not to be enabled without a thought.
    optional: str = ""


TIMERS = (
    Timer(
        name="publish-due",
        command=("modo", "publish", "--due"),
        why="end what has expired",
        cron="* * * * *",
        calendar="minutely",
    ),
    Timer(
        name="mail-directories",
        command=("handle_mailbox_operations",),
        why="mail directories follow renames and deletions",
        cron="* * * * *",
        calendar="minutely",
        by_mail_owner=True,
        optional="where the panel handles mail directories",
    ),
    Timer(
        name="last-logins",
        command=("collect_last_logins",),
        why="take over the logins that Dovecot noted",
        cron="*/10 * * * *",
        calendar="*:0/10",
        optional="with Dovecot's last_login plugin",
    ),
    Timer(
        name="check-mx",
        command=("modo", "check_mx"),
        why="look at the DNS of all domains",
        cron="*/30 * * * *",
        calendar="*:0/30",
        delay_s=60,
    ),
    Timer(
        name="public-api",
        command=("communicate_with_public_api",),
        why="ask the public API for new versions, where the parameters say so",
        cron="0 * * * *",
        calendar="hourly",
        delay_s=600,
    ),
    Timer(
        name="sweep-imports",
        command=("run_import", "--sweep"),
        why="delete old uploads and reports",
        cron="15 * * * *",
        calendar="*:15",
        delay_s=60,
    ),
    Timer(
        name="clear-sessions",
        command=("clearsessions",),
        why="delete sessions that are over",
        cron="0 3 * * *",
        calendar="03:00",
        delay_s=300,
    ),
    Timer(
        name="clean-logs",
        command=("cleanlogs",),
        why="delete old events from the log",
        cron="10 3 * * *",
        calendar="03:10",
        delay_s=300,
    ),
    Timer(
        name="check-published",
        command=("modo", "publish", "--check"),
        why="compare what mail servers read with what it must be",
        cron="30 3 * * *",
        calendar="03:30",
        delay_s=300,
    ),
    Timer(
        name="recount",
        command=("recount",),
        why="compare the counters of limits with what is there",
        cron="45 3 * * *",
        calendar="03:45",
        delay_s=300,
    ),
    Timer(
        name="inactive-accounts",
        command=("clean_inactive_accounts", "--silent"),
        why="disable accounts that nobody uses",
        cron="0 4 * * *",
        calendar="04:00",
        delay_s=300,
        optional="it disables accounts",
    ),
)


def timers() -> list[Timer]:
    """Those whose commands there are."""
    known = get_commands().keys() | {f"modo {name}" for name in subcommands()}
    return [
        t
        for t in TIMERS
        if t.command[0] in known and (t.command[0] != "modo" or " ".join(t.command[:2]) in known)
    ]


def generate(
    directory: str, site: Site, database: Credentials, *, header: Sequence[str], force: bool = False
) -> list[str]:
    """Write the files; returns the names of those left alone because somebody edited them.

    Raises :class:`ExportError`; then nothing was written.
    """
    all_files: list[GeneratedFiles] = []
    edited: list[str] = []
    for name, texts in _texts(site, database).items():
        files = GeneratedFiles.in_directory(directory, CHECKSUM_FILE, "root", name)
        all_files.append(files)
        kept = files.put_unless_edited(texts, database.engine, header=header, mode=OPEN_MODE, force=force)
        edited += [str(files.directory / each) for each in kept]
    write_all(all_files)
    return edited


def _texts(site: Site, database: Credentials) -> dict[str, dict[str, str]]:
    """Texts by directory and name."""
    values = _values(site)
    values |= {name: _text(f"{name.replace('_', '-')}.conf", values) for name in ("server_head", "redirect")}

    def filled(*names: str) -> dict[str, str]:
        return {name: _text(name, values) + "\n" for name in names}

    gunicorn = _text("gunicorn.conf.py.txt", values) + "\n"
    return {
        "nginx": filled("nginx-gunicorn.conf", "nginx-uwsgi.conf"),
        "apache2": {"modoboa.conf": _text("apache2.conf", values) + "\n"},
        "modoboa": {"gunicorn.conf.py": gunicorn, **filled("uwsgi.ini", "modoboa.wsgi")},
        "systemd": dict(_units(site, values, database)),
        "cron.d": {"modoboa": _cron(site)},
    }


def _text(name: str, values: Mapping[str, str]) -> str:
    return filled_in(f"{_TEXTS}/{name}", values).rstrip("\n")


def _values(site: Site) -> dict[str, str]:
    """What the placeholders of the texts stand for."""
    script = Path(site.place, "modoboa.wsgi")
    interpreter = Path(python())
    return {
        "host": site.host_name.lower(),
        "user": site.user,
        "group": site.group,
        "web_group": site.web_group,
        "certificate": site.certificate,
        "key": site.key,
        "bind": site.bind,
        "socket": "/run/modoboa/uwsgi.sock",
        "directory": str(settings.INSTANCE_DIR),
        "environment": str(interpreter.parent.parent),
        "environment_file": site.environment_file,
        "media": str(settings.MEDIA_ROOT),
        "wsgi": settings.WSGI_APPLICATION.rpartition(".")[0],
        "settings": settings.SETTINGS_MODULE,
        "script": str(script),
        "script_directory": site.place,
        "script_name": script.name,
        "import_path": reverse("admin:import_create"),
        # The file, and the rest of the form.
        "import_mb": str(settings.MODOBOA_IMPORT_MAX_MB + 1),
        "import_bytes": str((settings.MODOBOA_IMPORT_MAX_MB + 1) * 1024 * 1024),
        "patience": str(_PATIENCE_S),
    }


# --- systemd ----------------------------------------------------------------------------------------------------


def _units(site: Site, values: Mapping[str, str], database: Credentials) -> Iterator[tuple[str, str]]:
    gunicorn = str(Path(python()).with_name("gunicorn"))
    panel = {
        **values,
        "account": _account(site.user, site.group, site.environment_file),
        "hardening": _hardening(_panel_writes(database), mask="0027"),
    }
    # The front of the panel, not its settings, says who is believed about visitors.
    believed = "Environment=MODOBOA_BEHIND_TLS_PROXY=yes MODOBOA_TRUSTED_PROXIES=127.0.0.1,::1\n"
    service = panel | {
        "start": f"{gunicorn} --config {site.place}/gunicorn.conf.py",
        "reload": "ExecReload=/bin/kill -HUP $MAINPID\nKillMode=mixed",
        "extra": believed,
        "beside": "Conflicts=modoboa-uwsgi.service\n",
    }
    yield "modoboa.service", _text("service.conf", service) + "\n"
    service |= {
        "start": f"/usr/bin/uwsgi --ini {site.place}/uwsgi.ini",
        "reload": "ExecReload=/bin/kill -HUP $MAINPID",
        "extra": f"SupplementaryGroups={site.web_group}\n",
        "beside": "Conflicts=modoboa.service\n",
    }
    yield "modoboa-uwsgi.service", _text("service.conf", service) + "\n"
    for timer in timers():
        name = f"modoboa-{timer.name}"
        unit = panel | {
            "what": timer.why + (f" ({timer.optional})" if timer.optional else ""),
            "start": " ".join([*manage(), *timer.command]),
            "calendar": timer.calendar,
            "delay": str(timer.delay_s),
            # What runs again in a minute need not be made up for.
            "persistent": "no" if timer.calendar == "minutely" else "yes",
        }
        if timer.by_mail_owner:
            unit["account"] = _account(site.mail_owner, "", site.mail_environment_file)
            unit["hardening"] = _hardening([site.mail_root, *_database_directory(database)], mask="0077")
        yield f"{name}.service", _text("timer-service.conf", unit) + "\n"
        yield f"{name}.timer", _text("timer.conf", unit) + "\n"


def _account(user: str, group: str, environment_file: str) -> str:
    lines = [
        f"User={user}",
        *([f"Group={group}"] if group else []),
        f"WorkingDirectory={settings.INSTANCE_DIR}",
    ]
    lines += [
        f"Environment=DJANGO_SETTINGS_MODULE={settings.SETTINGS_MODULE}",
        f"EnvironmentFile={environment_file}",
    ]
    return "\n".join(lines)


def _panel_writes(database: Credentials) -> list[str]:
    places = [str(Path(place).absolute()) for place in (settings.DATA_DIR, settings.MEDIA_ROOT)]
    return [*places, *_database_directory(database)]


def _database_directory(database: Credentials) -> list[str]:
    return [str(Path(database.name).parent)] if database.engine is Engine.SQLITE else []


def _hardening(writable: Sequence[str], *, mask: str) -> str:
    places = list(dict.fromkeys(writable))
    require_paths(*places)
    needed = [*places, str(settings.INSTANCE_DIR), python()]
    at_home = any(place.startswith(("/home/", "/root/")) for place in needed)
    values = {
        # One that is not there is no reason not to start.
        "writable": " ".join(f"-{place}" for place in places),
        "umask": mask,
        "protect_home": "read-only" if at_home else "yes",
    }
    # "@system-service" is systemd's own word, not one of our placeholders.
    return _text("hardening.conf", values)


# --- cron -------------------------------------------------------------------------------------------------------


def _cron(site: Site) -> str:
    """One line for each timer; the variables are read by the shell."""
    command = " ".join(manage())
    if "-m" in manage():
        command = f"env DJANGO_SETTINGS_MODULE={settings.SETTINGS_MODULE} {command}"
    lines = [
        "# Belongs into /etc/cron.d. Use this or the systemd timers, not both. MAILTO hears of faults.",
        "SHELL=/bin/sh",
        "MAILTO=root",
        f"panel=set -a; . {site.environment_file}; cd {settings.INSTANCE_DIR} && exec {command}",
        f"mail=set -a; . {site.mail_environment_file}; cd {settings.INSTANCE_DIR} && exec {command}",
    ]
    for timer in timers():
        user, variable = (site.mail_owner, "mail") if timer.by_mail_owner else (site.user, "panel")
        sign = "#" if timer.optional else ""
        note = f" ({timer.optional})" if timer.optional else ""
        lines += ["", f"# {timer.why[0].upper()}{timer.why[1:]}{note}."]
        lines.append(f'{sign}{timer.cron}  {user}  eval "${variable} {" ".join(timer.command)}"')
    return "\n".join(lines) + "\n"

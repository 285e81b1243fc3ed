"""What a process costs: CPU of `manage.py check`, and the memory of a gunicorn worker.

    python bench/process.py [--rounds 7] [--pages 20] [--imports]

Both run in the documented production setting over an SQLite file of their own. Goals: at most 1 s of CPU (user and
system), at most 90 MB resident. PSS counts a page that two processes share half to each; RSS counts it fully.
--imports lists the modules that take longest to import instead.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measuring import Table, heading, met
from tests.servers.ports import ReservedPort
from tests.servers.processes import Server, short_directory

TOP = Path(__file__).resolve().parent.parent
GOAL_CPU_S = 1.0
GOAL_MB = 90.0
PASSWORD = "Correct-Horse-7"  # noqa: S105 - nobody's
ACCOUNTS = 60
# What an administrator looks at, links on the pages included.
PATHS = (
    "/admin/domains/",
    "/admin/identities/",
    "/admin/domains/new/",
    "/admin/accounts/new/",
    "/admin/aliases/new/",
)
DETAIL = re.compile(r'href="(/admin/(?:domains|accounts|aliases)/\d+/(?:edit/)?)')


def production(directory: Path) -> dict[str, str]:
    """The environment of docs/installation.md."""
    return {
        **os.environ,
        "MODOBOA_SECRET_KEY": secrets.token_urlsafe(64),
        "MODOBOA_SITE_HOST": "localhost",
        "MODOBOA_DATA_DIR": str(directory),
        "MODOBOA_STATIC_ROOT": str(directory / "sitestatic"),
        "MODOBOA_BEHIND_TLS_PROXY": "yes",
        "MODOBOA_ADMIN_PASSWORD": PASSWORD,
        "DATABASE_URL": f"sqlite:///{directory / 'panel.sqlite3'}",
    }


def manage(env: Mapping[str, str], *arguments: str, options: tuple[str, ...] = ()) -> str:
    """Run a command of the panel; returns stderr."""
    command = [sys.executable, *options, str(TOP / "manage.py"), *arguments]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return done.stderr


def check_cpu_s(env: Mapping[str, str]) -> float:
    """CPU seconds of one `manage.py check`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    manage(env, "check")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def dearest_imports(env: Mapping[str, str]) -> Table:
    """Modules by the time of their own import, without what they import in turn."""
    found = re.findall(
        r"^import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)$",
        manage(env, "check", options=("-X", "importtime")),
        re.MULTILINE,
    )
    table = Table(("module", "own ms", "with imports ms"))
    for own, whole, module in sorted(found, key=lambda line: -int(line[0]))[:25]:
        table.add(module, f"{int(own) / 1000:.1f}", f"{int(whole) / 1000:.1f}")
    table.add(f"all {len(found)}", f"{sum(int(own) for own, _whole, _module in found) / 1000:.0f}", "")
    return table


@dataclass(slots=True)
class Browser:
    """Enough of a browser to sign in behind a TLS proxy: __Host- cookies would not survive a cookie jar over HTTP."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> str:
        """The page, status 200 or 302."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Host": "localhost",
            "X-Forwarded-Proto": "https",
            "Referer": "https://localhost/",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        link.request("GET" if form is None else "POST", path, urlencode(form) if form else None, headers)
        answer = link.getresponse()
        page = answer.read().decode()
        if answer.status not in {200, 302}:
            message = f"{path}: status {answer.status}"
            raise RuntimeError(message)
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _equals, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        link.close()
        return page

    def sign_in(self) -> None:
        """As the first super administrator."""
        page = self.ask("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = {"username": "admin", "password": PASSWORD}
        self.ask("/accounts/login/", {**form, "csrfmiddlewaretoken": token.group(1) if token else ""})
        if 'name="password"' in self.ask(PATHS[0]):
            message = "signing in did not work"
            raise RuntimeError(message)

    def look_around(self) -> int:
        """Every list, form and first detail page once; returns how many pages."""
        seen = 0
        for path in PATHS:
            page = self.ask(path)
            seen += 1
            for link in list(dict.fromkeys(DETAIL.findall(page)))[:6]:
                self.ask(link)
                seen += 1
        return seen


@contextmanager
def worker(env: Mapping[str, str], directory: Path) -> Iterator[tuple[int, int]]:
    """A gunicorn with one sync worker: pid of the worker, and the port."""
    with ReservedPort() as port:
        place = ["--bind", f"127.0.0.1:{port.number}", "--workers", "1", "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", *place, "--chdir", str(TOP), "modoboa_site.wsgi"]
        server = Server("gunicorn", command, log=directory / "gunicorn.log", env=env)
        try:
            server.wait_until(lambda: "Booting worker" in server.log.read_text())
            time.sleep(2)
            children = (
                Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
            )
            yield int(children[0]), port.number
        finally:
            server.stop()


def memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB$", rollup, re.MULTILINE))
    return int(sizes["Rss"]) / 1024, int(sizes["Pss"]) / 1024


def fill(env: Mapping[str, str]) -> None:
    """A domain, and some people in it."""
    manage(env, "migrate", "--verbosity=0")
    manage(env, "load_initial_data")
    manage(env, "collectstatic", "--noinput", "--verbosity=0")
    manage(env, "create_domain", "customer.example", "--as", "admin")
    program = (
        "from admin.operations import *; from core.actor import Actor, Credential; from core.models import User; "
        "root = Actor(User.objects.get(username='admin'), Credential.COMMAND); "
        "names = [f'person{n}@customer.example' for n in range(" + str(ACCOUNTS) + ")]; "
        "create_accounts(root, [AccountSpec(username=n, password='Correct-Horse-7', mailbox=MailboxSpec(address=n)) "
        "for n in names]); "
        "create_alias(root, address='team@customer.example', recipients=tuple(names[:3]))"
    )
    manage(env, "shell", "--command", program)


def main() -> int:
    """Measure and print; 0 when both goals are met."""
    parser = argparse.ArgumentParser(description="CPU of `manage.py check` and memory of a worker.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pages", type=int, default=20, help="times that every page is looked at")
    parser.add_argument("--imports", action="store_true")
    given = parser.parse_args()
    with short_directory("mb-") as directory:
        env = production(directory)
        if given.imports:
            manage(env, "check")
            dearest_imports(env).show()
            return 0
        heading("Processes")
        manage(env, "check")  # compiles what is not compiled yet
        cpu_s = median(check_cpu_s(env) for _round in range(given.rounds))
        fill(env)
        with worker(env, directory) as (pid, port):
            fresh_rss, fresh_pss = memory_mb(pid)
            browser = Browser(port)
            browser.sign_in()
            pages = sum(browser.look_around() for _round in range(given.pages))
            rss, pss = memory_mb(pid)
    table = Table(("what", "measured", "goal", "met"))
    table.add("`manage.py check`, CPU s", f"{cpu_s:.2f}", GOAL_CPU_S, met(cpu_s, GOAL_CPU_S))
    table.add("a new worker, RSS / PSS in MB", f"{fresh_rss:.0f} / {fresh_pss:.0f}", "", "")
    table.add(
        f"the worker after {pages} pages, RSS / PSS in MB",
        f"{rss:.0f} / {pss:.0f}",
        GOAL_MB,
        met(rss, GOAL_MB),
    )
    table.show()
    return 0 if cpu_s <= GOAL_CPU_S and rss <= GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())

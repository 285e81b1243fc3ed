"""Services of Postfix: what a master.cf says, what a scan adds, deletes and keeps, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from admin.operations import create_domain, delete_domains
from core.refusals import Refusal
from parameters.operations import update_parameters
from relaydomains.gateways.master_cf import MAX_OCTETS, Unreadable, smtp_clients
from relaydomains.models import RelayDomain, Service
from relaydomains.operations import RelaySpec, Scan, scan_services, start_relaying
from relaydomains.parameters_form import RelayDomainsParametersForm
from relaydomains.policies import may_scan_services
from tests.cast import Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused_as,
    sentences,
    statements,
    versions,
)
from tests.operations.people import set_parameter
from tests.operations.test_races import DONE, race
from tests.servers.packages import require_servers

MASTER_CF = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
#       -o smtp_helo_timeout=5 -o smtp_connect_timeout=5
lmtp      unix  -       -       y       -       -       lmtp
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""
LINE = "{0} unix - - n - - smtp\n"


@pytest.fixture
def master_cf(tmp_path: Path) -> Path:
    path = tmp_path / "master.cf"
    path.write_text(MASTER_CF)
    return path


def use(path: Path | str, *lines: str) -> None:
    """The parameter names this file, which gets these services."""
    set_parameter("master_cf_path", value=str(path), app="relaydomains")
    if lines:
        Path(path).write_text(MASTER_CF + "".join(map(LINE.format, lines)))


def names() -> set[str]:
    return set(Service.objects.values_list("name", flat=True))


# --- the file -------------------------------------------------------------------------------------------------


def test_the_smtp_clients_of_a_usual_file_are_found(master_cf: Path) -> None:
    assert smtp_clients(str(master_cf)) == ["smtp", "relay"]


def test_the_file_of_this_distribution_is_understood() -> None:
    require_servers("postfix")
    path = Path("/usr/share/postfix/master.cf.dist")
    assert {"smtp", "relay"} <= set(smtp_clients(str(path)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LINE.format("out"), ["out"]),
        ("out\tunix\t-\t-\tn\t-\t-\tsmtp\t-o x=y", ["out"]),
        ("out unix - - n - - smtp -o smtp_bind_address=9.9.9.9", ["out"]),
        ("out unix -\n - n - -\n\tsmtp\n", ["out"]),
        ("out unix -\n# in between\n\n - n - - smtp\n", ["out"]),
        ("out unix -\n  # in between, indented\n - n - - smtp\n", ["out"]),
        ("out unix - - n - - smtp\r\n", ["out"]),
        ("out unix - - n - - lmtp\n -o smtp - - smtp\n", []),
        ("out inet n - n - - smtp\n", []),
        ("out unix - - n - - smtpd\n", []),
        ("out unix - - n - 0 /usr/bin/smtp\n", []),
        ("# out unix - - n - - smtp\n" + LINE.format("real"), ["real"]),
        ("  # out unix - - n - - smtp\n" + LINE.format("real"), ["real"]),
        ("out unix - - n - -\nreal unix - - n - - smtp\n", ["real"]),
        (LINE.format("twice") * 2, ["twice"]),
        ("# b\u00fccher\n" + LINE.format("out"), ["out"]),
        (LINE.format("\u0155elay"), ["\u0155elay"]),
    ],
)
def test_lines_are_read_as_postfix_reads_them(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "master.cf"
    path.write_bytes(text.encode())
    assert smtp_clients(str(path)) == found


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n\n# nothing\n",
        b"not a master.cf\n",
        b"root:x:0:0:root:/root:/bin/bash\n",
        b"relay unix - - n - -\n",
        b"a b c d e f g smtp\n",
        LINE.format("out").encode() + b"\0",
        LINE.format("out").encode() + b"#" * MAX_OCTETS,
        b"\xff\xfe" + LINE.format("out").encode("utf-16-le"),
    ],
)
def test_what_is_no_master_cf_is_not_read_as_one(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "master.cf"
    path.write_bytes(octets)
    with pytest.raises(Unreadable):
        smtp_clients(str(path))


def test_only_a_regular_file_is_read_and_nobody_waits(tmp_path: Path, master_cf: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(master_cf)
    for path in (tmp_path, tmp_path / "nowhere", pipe, Path("/dev/zero"), Path("a\0b"), Path()):
        with pytest.raises(Unreadable):
            smtp_clients(str(path))
    assert smtp_clients(str(link)) == ["smtp", "relay"]


def test_a_file_that_we_may_not_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        smtp_clients(str(tmp_path / "nowhere"))
    assert caught.value.detail == "No such file or directory"


# --- the scan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
def test_only_super_admins_and_resellers_scan(cast: Cast, master_cf: Path, who: str) -> None:
    use(master_cf, "out")
    assert not may_scan_services(cast.everybody[who])
    with forbidden():
        scan_services(cast.everybody[who])


@pytest.mark.parametrize("who", ["root", "rita"])
def test_a_scan_adds_what_is_new_and_deletes_what_is_gone(cast: Cast, master_cf: Path, who: str) -> None:
    use(master_cf, "out", "out-2")
    actor = cast.everybody[who]
    before, history = len(events()), len(versions())
    assert scan_services(actor) == Scan(created=("out", "out-2"))
    assert names() == {"relay", "smtp", "out", "out-2"}
    assert events()[before:] == [("service.create", "out", []), ("service.create", "out-2", [])]
    assert versions()[history:] == [("service.create", "out"), ("service.create", "out-2")]
    with nothing_written():
        assert scan_services(actor) == Scan()
    use(master_cf, "out")
    before = len(events())
    assert scan_services(actor) == Scan(deleted=("out-2",))
    assert names() == {"relay", "smtp", "out"}
    assert events()[before:] == [("service.delete", "out-2", [])]


def test_a_service_that_is_used_stays_though_postfix_has_it_no_more(cast: Cast, master_cf: Path) -> None:
    use(master_cf, "out", "out-2")
    scan_services(cast.root)
    start_relaying(cast.root, [RelaySpec(domain=cast.dora_example, target_host="9.9.9.9", service="out")])
    use(master_cf)
    master_cf.write_text(MASTER_CF)
    assert scan_services(cast.rita) == Scan(deleted=("out-2",), kept=("out",))
    assert RelayDomain.objects.get().service.name == "out"
    with nothing_written():
        assert scan_services(cast.rita) == Scan(kept=("out",))
    delete_domains(cast.root, [cast.dora_example])
    assert scan_services(cast.rita) == Scan(deleted=("out",))


def test_names_that_no_service_can_have_here_are_skipped_and_named(cast: Cast, master_cf: Path) -> None:
    use(master_cf, "Out", "out.1", "a" * 101, "-x", "out:[evil]", "good_1")
    assert scan_services(cast.root) == Scan(
        created=("good_1",), skipped=("-x", "Out", "a" * 101, "out.1", "out:[evil]")
    )
    assert names() == {"relay", "smtp", "good_1"}


def test_a_file_without_smtp_clients_deletes_nothing(cast: Cast, master_cf: Path) -> None:
    use(master_cf)
    master_cf.write_text("smtp inet n - y - - smtpd\n")
    with nothing_written():
        assert scan_services(cast.root) == Scan()
    master_cf.write_text(LINE.format("UPPER"))
    with nothing_written():
        assert scan_services(cast.root) == Scan(skipped=("UPPER",))


def test_a_file_that_cannot_be_read_changes_nothing(cast: Cast, tmp_path: Path) -> None:
    use(tmp_path / "nowhere")
    with refused_as("", "master_cf_unreadable") as caught:
        scan_services(cast.root)
    assert str(tmp_path / "nowhere") in sentences(caught)[0]
    assert "No such file or directory" in sentences(caught)[0]
    use(tmp_path)
    with refused_as("", "master_cf_unreadable") as caught:
        scan_services(cast.rita)
    assert "is not a master.cf" in sentences(caught)[0]


def test_a_scan_costs_the_same_whatever_there_is(cast: Cast, master_cf: Path) -> None:
    use(master_cf, "a1", "a2")
    scan_services(cast.root)  # loads the parameters
    use(master_cf, *(f"b{n}" for n in range(2)))
    with statements() as few:
        scan_services(cast.root)
    use(master_cf, *(f"c{n}" for n in range(22)))
    with statements() as many:
        scan_services(cast.root)
    assert len(few) == len(many) <= 14


def test_two_scans_at_once_end_well(real_cast: Cast, master_cf: Path) -> None:
    use(master_cf, "out")
    outcomes = race(lambda: scan_services(real_cast.root), lambda: scan_services(real_cast.rita))
    assert set(outcomes) <= {DONE, "conflict"}
    assert DONE in outcomes
    assert names() == {"relay", "smtp", "out"}


def test_a_service_that_is_chosen_while_it_goes_is_either_kept_or_refused(
    real_cast: Cast, master_cf: Path
) -> None:
    use(master_cf, "out")
    scan_services(real_cast.root)
    master_cf.write_text(MASTER_CF)
    create_domain(real_cast.root, name="new.example")

    def choose() -> None:
        start_relaying(
            real_cast.root,
            [RelaySpec(domain=real_cast.dora_example, target_host="9.9.9.9", service="out")],
        )

    outcomes = race(choose, lambda: scan_services(real_cast.root))
    assert set(outcomes) <= {DONE, "conflict", "unknown_service"}
    assert RelayDomain.objects.exists() is (outcomes[0] == DONE)
    assert RelayDomain.objects.exists() <= ("out" in names())


# --- the parameter --------------------------------------------------------------------------------------------


def test_the_parameter_is_a_whole_path(cast: Cast) -> None:
    assert RelayDomainsParametersForm.base_fields["master_cf_path"].initial == "/etc/postfix/master.cf"
    for wrong in ("master.cf", "../master.cf", "", "/" + "a" * 1_000):
        with pytest.raises(Refusal):
            update_parameters(cast.root, {"relaydomains": {"master_cf_path": wrong}})
    update_parameters(cast.root, {"relaydomains": {"master_cf_path": "/opt/postfix/master.cf"}})

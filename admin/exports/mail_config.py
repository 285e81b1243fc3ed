"""Everything that Postfix and Dovecot are told: complete files to copy, with a comment for what is not obvious."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from admin.exports import dovecot_conf, last_login, postfix_maps
from admin.exports.credentials import Credentials
from admin.exports.generated_files import MODE, OPEN_MODE, SCRIPT_MODE, GeneratedFiles, write_all
from admin.exports.texts import filled_in, require_host_name, require_paths, required_user_name
from admin.lookups import Mailboxes

POSTFIX_CHECKSUM_FILE = "modoboa-postfix.chk"
DOVECOT_CHECKSUM_FILE = "modoboa-dovecot.chk"
# Of the files with credentials, in the directory of each server; below it in the names of the configuration.
INNER = "modoboa"

_LEVELS = {"3.5": "2", "3.6": "3.6"}
POSTFIX_VERSIONS = tuple(_LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What differs between mail servers, beside the database. Raises :class:`ExportError` for values that are none."""

    host_name: str
    mail_owner: str
    certificate: str = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
    key: str = "/etc/ssl/private/ssl-cert-snakeoil.key"
    # Where the files will lie in the end; Postfix's own files name no directory.
    dovecot_directory: str = "/etc/dovecot"
    queue_directory: str = "/var/spool/postfix"
    last_login: last_login.Way = last_login.Way.SCRIPT
    # "or newer".
    postfix_version: str = "3.6"

    def __post_init__(self) -> None:
        require_host_name(self.host_name)
        require_paths(self.certificate, self.key, self.dovecot_directory, self.queue_directory)

    @property
    def owner_name(self) -> str:
        """Of mail, as a service of Dovecot names it: a user, or the number of one."""
        return required_user_name(self.mail_owner.partition(":")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """The database as each part of the servers reaches it."""

    postfix: Credentials
    # Dovecot's passdb and userdb.
    users: Credentials
    # Of both dictionaries: one process serves them, and Dovecot 2.4 may ask for both over one connection.
    quota: Credentials
    # Of the post-login script.
    last_login: Credentials


def generate(
    directory: str,
    logins: Logins,
    mailboxes: Mailboxes,
    site: Site,
    *,
    header: Sequence[str],
    force: bool = False,
) -> list[str]:
    """Write the files; returns the names of those left alone because somebody edited them.

    Raises :class:`admin.exports.credentials.ExportError`; then nothing was written.
    """
    dovecot_conf.refuse_unsafe(logins.last_login)
    values = _values(logins, mailboxes, site)
    all_files: list[GeneratedFiles] = []
    edited: list[str] = []

    def prepared(checksum_name: str, group: str, *below: str) -> GeneratedFiles:
        files = GeneratedFiles.in_directory(directory, checksum_name, group, *below)
        all_files.append(files)
        return files

    def put(
        files: GeneratedFiles, texts: Mapping[str, str], mode: int, header: Sequence[str] = header
    ) -> None:
        engine = logins.users.engine
        names = files.put_unless_edited(texts, engine, header=header, mode=mode, force=force)
        edited.extend(str(files.directory / name) for name in names)

    postfix = prepared(POSTFIX_CHECKSUM_FILE, "postfix", "postfix")
    put(postfix, {name: filled_in(name, values) for name in ("main.cf", "master.cf")}, OPEN_MODE)
    maps = prepared(postfix_maps.CHECKSUM_FILE, "postfix", "postfix", INNER)
    kept = postfix_maps.prepare(maps, logins.postfix, header=header, force=force)
    edited += [str(maps.directory / name) for name in kept]

    place = Path(site.dovecot_directory) / INNER
    script = filled_in("post-login.sh", {**values, "header": "\n".join(f"# {line}" for line in header)})
    secrets = last_login.credentials_text(logins.last_login)
    common = {last_login.SCRIPT_CONF: filled_in("last-login-script.conf", values)} | (
        {last_login.SCRIPT_CREDENTIALS: secrets} if secrets else {}
    )
    of_version = {
        "2.3": dovecot_conf.texts_23(logins.users, logins.quota, mailboxes, place)
        | {
            last_login.DICT_CONF: last_login.dict_conf_23(logins.quota, place),
            last_login.DICT_SQL_23: last_login.dict_sql_23(logins.quota),
        },
        "2.4": dovecot_conf.texts_24(logins.users, logins.quota, mailboxes)
        | {last_login.DICT_CONF: last_login.dict_conf_24(logins.quota)},
    }
    for version, texts in of_version.items():
        name = f"dovecot-{version}"
        dovecot = prepared(DOVECOT_CHECKSUM_FILE, "dovecot", name)
        put(dovecot, {"dovecot.conf": filled_in(f"{name}.conf", values)}, OPEN_MODE)
        inner = prepared(dovecot_conf.CHECKSUM_FILE, "dovecot", name, INNER)
        put(inner, {**texts, **common}, MODE)
        put(inner, {last_login.SCRIPT: script}, SCRIPT_MODE, header=())
    write_all(all_files)
    return edited


def _values(logins: Logins, mailboxes: Mailboxes, site: Site) -> dict[str, str]:
    """What the placeholders of the texts stand for."""
    place = Path(site.dovecot_directory) / INNER
    uses_script = site.last_login is last_login.Way.SCRIPT
    return {
        "hostname": site.host_name.lower(),
        "level": _LEVELS[site.postfix_version],
        # Postfix knows where its configuration is.
        "maps": f"proxy:{dovecot_conf.DRIVERS[logins.postfix.engine]}:$config_directory/{INNER}",
        "certificate": site.certificate,
        "key": site.key,
        "queue": site.queue_directory.rstrip("/"),
        "mail_root": mailboxes.root,
        "uid": mailboxes.uid,
        "gid": mailboxes.gid,
        "owner": site.owner_name,
        "script_comment": "" if uses_script else "#",
        "dict_comment": "#" if uses_script else "",
        "script": str(place / last_login.SCRIPT),
        "statement": last_login.statement(logins.last_login.engine),
        "client": last_login.client(logins.last_login, place / last_login.SCRIPT_CREDENTIALS),
    }

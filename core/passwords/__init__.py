"""Password hashes as Dovecot stores them, ``{SCHEME}hash``, made and verified the way Dovecot does.

The panel and the mail server read the same column, so both must come to the same answer. Verification never
raises: a stored value that is malformed, unknown or absurdly expensive is a password that nobody has.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _
from passlib.hash import argon2, bcrypt, bsdi_crypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from core.passwords import libcrypt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.utils.functional import Promise

MAX_SECRET_BYTES: Final = 4096
# As long as the column that keeps it.
MAX_HASH: Final = 256
MIN_ROUNDS: Final = 1_000
# crypt(3) allows 999,999,999 rounds, which is ten minutes of one core for each attempt to sign in.
MAX_ROUNDS: Final = 2_000_000
DEFAULT_SCHEME: Final = "sha512crypt"
DEFAULT_ROUNDS: Final = 70_000

_BCRYPT_COST: Final = 12
_BCRYPT_BYTES: Final = 72  # what follows is not looked at by bcrypt
_CRYPT_BYTES: Final = 511  # libxcrypt takes no more, so Dovecot would not let the owner in
_ARGON2_MEMORY_KIB: Final = 65_536
_ARGON2_TIME: Final = 3
_ARGON2_PARALLELISM: Final = 1
# What a stored hash may ask for; more would let whoever writes one stall every sign-in.
_BCRYPT_COSTS: Final = range(4, 16)
_MAX_ARGON2_MEMORY_KIB: Final = 1_048_576
_MAX_ARGON2_TIME: Final = 20
_MAX_ARGON2_PARALLELISM: Final = 16
_MAX_STORED_CHARACTERS: Final = MAX_SECRET_BYTES + 64

_SALT_CHARACTERS: Final = "./" + string.digits + string.ascii_letters
_IMPLICIT_ROUNDS: Final = 5_000  # of $5$ and $6$ without "rounds="

_STORED: Final = re.compile(r"\{([A-Za-z0-9-]+)(?:\.(b64|base64|hex))?\}(.+)", re.DOTALL | re.IGNORECASE)
_SHA_CRYPT: Final = re.compile(
    r"\$([56])\$(?:rounds=([1-9]\d{3,8})\$)?[./0-9A-Za-z]{0,16}\$(?:[./0-9A-Za-z]{43}){1,2}"
)
# The last characters of salt and digest carry fewer bits; passlib warns about a hash that uses the others.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{30}[.CGKOSWaeimquy26]")
_MD5_CRYPT: Final = re.compile(r"\$1\$[./0-9A-Za-z]{0,8}\$[./0-9A-Za-z]{22}")
_DES_CRYPT: Final = re.compile(r"[./0-9A-Za-z]{13}")
_BSDI_CRYPT: Final = re.compile(r"_[./0-9A-Za-z]{2}\.\.[./0-9A-Za-z]{15}")  # at most 4,095 rounds
_UNUSABLE_LENGTH: Final = 40
_UNUSABLE: Final = re.compile(rf"\{{CRYPT\}}![0-9A-Za-z]{{{_UNUSABLE_LENGTH}}}")
_YESCRYPT: Final = re.compile(r"\$y\$j[5-9A]T\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}")
_ARGON2: Final = re.compile(
    r"\$argon2(id?)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$[+/0-9A-Za-z]+\$[+/0-9A-Za-z]+"
)

_MESSAGES: Final[Mapping[str, Promise]] = {
    "password_character": _("A password cannot contain a NUL character or half of a character pair."),
    "password_empty": _("Enter a password."),
    "password_too_long": _("This password is too long: at most %(limit)d bytes are possible."),
    "rounds_out_of_range": _("The number of rounds must be between %(least)d and %(most)d."),
    "hash_unacceptable": _(
        "This is not a hash that Dovecot and the panel both understand, such as “{SHA512-CRYPT}$6$…”."
    ),
    "scheme_unknown": _("“%(scheme)s” is not a password scheme that can be chosen."),
}


class PasswordError(ValueError):
    """A secret or a parameter that cannot be hashed: a stable ``code`` and a ``message`` for people."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params: dict[str, Any] = params

    @property
    def message(self) -> str:
        """A sentence somebody can act on."""
        return str(_MESSAGES[self.code]) % self.params

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme that new passwords can be stored in; ``name`` is the value of the parameter password_scheme."""

    name: str
    prefix: str
    label: Promise
    weak: bool = False
    uses_rounds: bool = False
    max_bytes: int = _CRYPT_BYTES


SCHEMES: Final[Mapping[str, Scheme]] = {
    scheme.name: scheme
    for scheme in (
        Scheme("sha512crypt", "SHA512-CRYPT", _("SHA512-CRYPT (recommended)"), uses_rounds=True),
        Scheme("sha256crypt", "SHA256-CRYPT", _("SHA256-CRYPT"), uses_rounds=True),
        Scheme(
            "argon2id", "ARGON2ID", _("Argon2id (64 MiB of memory per sign-in)"), max_bytes=MAX_SECRET_BYTES
        ),
        Scheme("blfcrypt", "BLF-CRYPT", _("Blowfish (bcrypt), up to 72 bytes"), max_bytes=_BCRYPT_BYTES),
        Scheme("md5crypt", "MD5-CRYPT", _("MD5-CRYPT (weak)"), weak=True),
        Scheme("sha256", "SHA256", _("SHA256 without salt (weak)"), weak=True, max_bytes=MAX_SECRET_BYTES),
        Scheme("md5", "MD5", _("MD5 without salt (weak)"), weak=True, max_bytes=MAX_SECRET_BYTES),
        Scheme("crypt", "CRYPT", _("DES crypt, 8 characters count (weak)"), weak=True),
        Scheme("plain", "PLAIN", _("Clear text (weak)"), weak=True, max_bytes=MAX_SECRET_BYTES),
    )
}


# --- New hashes -----------------------------------------------------------------------------------------


def hash_password(secret: str, scheme: str = DEFAULT_SCHEME, rounds: int = DEFAULT_ROUNDS) -> str:
    """``{SCHEME}hash`` of a secret; ``rounds`` matters to the SHA-CRYPT schemes only. Raises PasswordError."""
    chosen = SCHEMES.get(scheme)
    if chosen is None:
        raise PasswordError("scheme_unknown", scheme=scheme)
    if chosen.uses_rounds and not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise PasswordError("rounds_out_of_range", least=MIN_ROUNDS, most=MAX_ROUNDS)
    raw = _bytes_to_hash(secret, chosen.max_bytes)
    return f"{{{chosen.prefix}}}{_MAKERS[scheme](raw, rounds)}"


def check_secret(secret: str, scheme: str) -> None:
    """Raise PasswordError when the scheme cannot store this secret; costs nothing."""
    chosen = SCHEMES.get(scheme)
    if chosen is None:
        raise PasswordError("scheme_unknown", scheme=scheme)
    _bytes_to_hash(secret, chosen.max_bytes)


def random_password(length: int) -> str:
    """ASCII letters and digits; each of the three classes occurs when there is room."""
    if length < 1:
        raise ValueError(length)
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    while True:
        password = "".join(secrets.choice("".join(classes)) for _place in range(length))
        if length < len(classes) or all(set(password) & set(each) for each in classes):
            return password


def unusable_password() -> str:
    """A stored value that no secret matches, here and in Dovecot, whatever its default scheme is."""
    return f"{{CRYPT}}!{random_password(_UNUSABLE_LENGTH)}"


def is_usable(stored: str) -> bool:
    """Whether a password was set at all; nothing is said about its quality."""
    return _STORED.fullmatch(stored) is not None and not stored.startswith("{CRYPT}!")


def _bytes_to_hash(secret: str, most: int) -> bytes:
    if not secret:
        raise PasswordError("password_empty")
    raw = _as_bytes(secret)
    if raw is None:
        raise PasswordError("password_character")
    if len(raw) > most:
        raise PasswordError("password_too_long", limit=most)
    return raw


def _as_bytes(secret: str) -> bytes | None:
    try:
        raw = secret.encode()
    except UnicodeEncodeError:
        return None
    return None if b"\0" in raw else raw


def _salt(length: int) -> str:
    return "".join(secrets.choice(_SALT_CHARACTERS) for _place in range(length))


def _make_crypt(raw: bytes, setting: str) -> str:
    hashed = _crypt(raw, setting)
    if hashed is None:  # neither the C library nor passlib: cannot happen for the settings of this module
        raise RuntimeError(setting)
    return hashed


def _make_bcrypt(raw: bytes, _rounds: int) -> str:
    hashed: str = bcrypt.using(rounds=_BCRYPT_COST).hash(raw)
    return hashed


def _make_argon2id(raw: bytes, _rounds: int) -> str:
    hashed: str = argon2.using(
        type="ID",
        memory_cost=_ARGON2_MEMORY_KIB,
        time_cost=_ARGON2_TIME,
        parallelism=_ARGON2_PARALLELISM,
    ).hash(raw)
    return hashed


_MAKERS: Final[Mapping[str, Callable[[bytes, int], str]]] = {
    "sha512crypt": lambda raw, rounds: _make_crypt(raw, f"$6$rounds={rounds}${_salt(16)}$"),
    "sha256crypt": lambda raw, rounds: _make_crypt(raw, f"$5$rounds={rounds}${_salt(16)}$"),
    "argon2id": _make_argon2id,
    "blfcrypt": _make_bcrypt,
    "md5crypt": lambda raw, _rounds: _make_crypt(raw, f"$1${_salt(8)}$"),
    "sha256": lambda raw, _rounds: base64.b64encode(hashlib.sha256(raw).digest()).decode(),
    "md5": lambda raw, _rounds: hashlib.md5(raw, usedforsecurity=False).hexdigest(),
    "crypt": lambda raw, _rounds: _make_crypt(raw, _salt(2)),
    "plain": lambda raw, _rounds: raw.decode(),
}


# --- Given hashes ---------------------------------------------------------------------------------------


def is_acceptable(stored: str) -> bool:
    """Whether a hash from elsewhere can be stored: in a scheme that hides the secret, well-formed, not too costly."""
    if _UNUSABLE.fullmatch(stored):
        return True
    parsed = _parsed(stored)
    if parsed is None or len(stored) > MAX_HASH:
        return False
    scheme, encoding, rest = parsed
    plainly = _plainly(rest, encoding)
    if scheme in _DIGESTS:
        return _is_digest(rest, _DIGESTS[scheme], encoding)
    if plainly is None or not plainly.isascii():
        return False
    if scheme.startswith("ARGON2"):
        return _is_bounded_argon2(plainly)
    return scheme in _CRYPT_SCHEMES and (_is_bounded_bcrypt(plainly) or _is_bounded_crypt(plainly))


# --- Verification ---------------------------------------------------------------------------------------


def verify_password(secret: str, stored: str) -> bool:
    """Whether the secret is the one that was stored. Never raises, whatever the two texts are."""
    parsed = _parsed(stored)
    raw = _as_bytes(secret)
    if parsed is None or not raw or len(raw) > MAX_SECRET_BYTES:
        return False
    scheme, encoding, rest = parsed
    verifier = _VERIFIERS.get(scheme)
    if verifier is not None:
        plainly = _plainly(rest, encoding)
        return plainly is not None and verifier(raw, plainly)
    if scheme in _DIGESTS:
        return _verify_digest(raw, rest, _DIGESTS[scheme], encoding)
    return False


def dummy_verify(secret: str, scheme: str = DEFAULT_SCHEME, rounds: int = DEFAULT_ROUNDS) -> None:
    """Take as long as verifying a wrong password, for a user who does not exist."""
    verify_password(secret, _dummy(scheme, rounds))


def scheme_of(stored: str) -> str | None:
    """The scheme as ``SCHEMES`` writes its prefixes where it is one of them, upper case otherwise; None without."""
    match = _STORED.fullmatch(stored)
    if match is None:
        return None
    key = _key(match[1])
    return next(
        (scheme.prefix for scheme in SCHEMES.values() if _key(scheme.prefix) == key), match[1].upper()
    )


def needs_rehash(stored: str, scheme: str = DEFAULT_SCHEME, rounds: int = DEFAULT_ROUNDS) -> bool:
    """Whether a password that was just verified should be stored anew, in this scheme with these rounds."""
    if scheme not in SCHEMES:
        raise PasswordError("scheme_unknown", scheme=scheme)
    parsed = _parsed(stored)
    if parsed is None or parsed[0] != _key(SCHEMES[scheme].prefix) or parsed[1] is not None:
        return True
    return not _is_current(scheme, parsed[2], rounds)


def _is_current(scheme: str, rest: str, rounds: int) -> bool:
    match scheme:
        case "sha512crypt" | "sha256crypt":
            sha = _SHA_CRYPT.fullmatch(rest)
            method = "6" if scheme == "sha512crypt" else "5"
            return sha is not None and sha[1] == method and int(sha[2] or _IMPLICIT_ROUNDS) == rounds
        case "blfcrypt":
            blowfish = _BCRYPT.fullmatch(rest)
            return blowfish is not None and int(blowfish[1]) == _BCRYPT_COST
        case "argon2id":
            current = (_ARGON2_MEMORY_KIB, _ARGON2_TIME, _ARGON2_PARALLELISM)
            parameters = _ARGON2.fullmatch(rest)
            return parameters is not None and tuple(map(int, parameters.groups()[1:])) == current
        case "crypt":
            return _DES_CRYPT.fullmatch(rest) is not None
        case _:
            return True


def _parsed(stored: str) -> tuple[str, str | None, str] | None:
    """Scheme without dashes in upper case, encoding ("hex", "b64") if named, and the hash."""
    if len(stored) > _MAX_STORED_CHARACTERS:
        return None
    match = _STORED.fullmatch(stored)
    if match is None:
        return None
    encoding = None if match[2] is None else match[2].lower()
    return _key(match[1]), encoding, match[3]


def _key(scheme: str) -> str:
    return scheme.replace("-", "").upper()


@lru_cache(maxsize=16)
def _dummy(scheme: str, rounds: int) -> str:
    match scheme:
        case "sha512crypt":
            return f"{{SHA512-CRYPT}}$6$rounds={rounds}$nobodysaltnobody${'.' * 86}"
        case "sha256crypt":
            return f"{{SHA256-CRYPT}}$5$rounds={rounds}$nobodysaltnobody${'.' * 43}"
        case _:
            return hash_password(random_password(20), scheme, rounds)


def _plainly(rest: str, encoding: str | None) -> str | None:
    """The text behind ``{SCHEME.hex}`` or ``{SCHEME.b64}``."""
    if encoding is None:
        return rest
    try:
        decoded = bytes.fromhex(rest) if encoding == "hex" else base64.b64decode(rest, validate=True)
        return decoded.decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError are such
        return None


def _verify_plain(raw: bytes, rest: str) -> bool:
    kept = _as_bytes(rest)
    return kept is not None and hmac.compare_digest(raw, kept)


def _verify_crypt(raw: bytes, rest: str) -> bool:
    """As crypt(3): the stored hash says by its own first characters how it was made."""
    if _BCRYPT.fullmatch(rest):
        return _verify_bcrypt(raw, rest)
    if not _is_bounded_crypt(rest):
        return False
    hashed = _crypt(raw, rest)
    return hashed is not None and hmac.compare_digest(hashed.encode(), rest.encode())


def _is_bounded_crypt(rest: str) -> bool:
    sha = _SHA_CRYPT.fullmatch(rest)
    if sha is not None:
        return int(sha[2] or _IMPLICIT_ROUNDS) <= MAX_ROUNDS
    return any(form.fullmatch(rest) for form in (_MD5_CRYPT, _DES_CRYPT, _BSDI_CRYPT, _YESCRYPT))


def _crypt(raw: bytes, setting: str) -> str | None:
    """crypt(3), or the same in Python where the C library is absent or declines; None when neither can."""
    return libcrypt.crypt(raw, setting) or _python_crypt(raw, setting)


def _python_crypt(raw: bytes, setting: str) -> str | None:
    """What crypt(3) would answer, computed by passlib."""
    try:
        handler, options, explicit = _passlib_call(setting)
        if handler is None:
            return None
        made = str(handler.using(**options).hash(raw))
    except ValueError:  # a salt or a number that the method does not take
        return None
    if explicit and "rounds=" not in made:
        # passlib leaves the default number out, crypt(3) repeats what it was given.
        made = f"{made[:3]}rounds={_IMPLICIT_ROUNDS}${made[3:]}"
    return made


def _passlib_call(setting: str) -> tuple[Any, dict[str, object], bool]:
    """Handler (None: unknown method), its options, and whether the setting names the rounds."""
    sha_crypt = {"5": sha256_crypt, "6": sha512_crypt}
    match setting.split("$")[:4]:
        case ["", "5" | "6" as method, rounds, salt, *_rest] if rounds.startswith("rounds="):
            number = int(rounds.removeprefix("rounds="))
            return sha_crypt[method], {"rounds": number, "salt": salt}, True
        case ["", "5" | "6" as method, salt, *_rest]:
            return sha_crypt[method], {"rounds": _IMPLICIT_ROUNDS, "salt": salt}, False
        case ["", "1", salt, *_rest]:
            return md5_crypt, {"salt": salt}, False
        case [classic] if classic.startswith("_"):
            extended = bsdi_crypt.from_string(classic)
            return bsdi_crypt, {"rounds": extended.rounds, "salt": extended.salt}, False
        case [classic]:
            return des_crypt, {"salt": classic[:2]}, False
    return None, {}, False


def _verify_bcrypt(raw: bytes, rest: str) -> bool:
    if not _is_bounded_bcrypt(rest) or len(raw) > _BCRYPT_BYTES:
        return False
    return _verify_by(bcrypt, raw, rest)


def _is_bounded_bcrypt(rest: str) -> bool:
    form = _BCRYPT.fullmatch(rest)
    return form is not None and int(form[1]) in _BCRYPT_COSTS


def _verify_argon2(raw: bytes, rest: str) -> bool:
    return _is_bounded_argon2(rest) and _verify_by(argon2, raw, rest)


def _is_bounded_argon2(rest: str) -> bool:
    form = _ARGON2.fullmatch(rest)
    return (
        form is not None
        and int(form[2]) <= _MAX_ARGON2_MEMORY_KIB
        and int(form[3]) <= _MAX_ARGON2_TIME
        and int(form[4]) <= _MAX_ARGON2_PARALLELISM
    )


def _verify_by(handler: Any, raw: bytes, rest: str) -> bool:
    try:
        return bool(handler.verify(raw, rest))
    except ValueError:  # passlib's word for a malformed hash
        return False


@dataclass(frozen=True, slots=True)
class _Digest:
    algorithm: str
    bytes: int
    salted: bool = False


_DIGESTS: Final[Mapping[str, _Digest]] = {
    "MD5": _Digest("md5", 16),
    "LDAPMD5": _Digest("md5", 16),
    "PLAINMD5": _Digest("md5", 16),
    "SHA": _Digest("sha1", 20),
    "SHA1": _Digest("sha1", 20),
    "SHA256": _Digest("sha256", 32),
    "SHA512": _Digest("sha512", 64),
    "SMD5": _Digest("md5", 16, salted=True),
    "SSHA": _Digest("sha1", 20, salted=True),
    "SSHA256": _Digest("sha256", 32, salted=True),
    "SSHA512": _Digest("sha512", 64, salted=True),
}
_CRYPT_SCHEMES: Final = frozenset({"CRYPT", "DESCRYPT", "MD5CRYPT", "SHA256CRYPT", "SHA512CRYPT", "BLFCRYPT"})
_VERIFIERS: Final[Mapping[str, Callable[[bytes, str], bool]]] = {
    "PLAIN": _verify_plain,
    "CLEAR": _verify_plain,
    "CLEARTEXT": _verify_plain,
    **dict.fromkeys(_CRYPT_SCHEMES, _verify_crypt),
    "ARGON2I": _verify_argon2,
    "ARGON2ID": _verify_argon2,
}


def _verify_digest(raw: bytes, rest: str, digest: _Digest, encoding: str | None) -> bool:
    """Digest, followed by the salt if there is one; in hexadecimal when named or recognised by its length."""
    if digest.algorithm == "md5" and not digest.salted and rest.startswith("$1$") and encoding is None:
        return _verify_crypt(raw, rest)  # Dovecot's {MD5} may be MD5-CRYPT as well
    kept = _kept(rest, digest, encoding)
    if kept is None:
        return False
    expected, salt = kept[: digest.bytes], kept[digest.bytes :]
    made = hashlib.new(digest.algorithm, raw + salt, usedforsecurity=False).digest()
    return hmac.compare_digest(made, expected)


def _is_digest(rest: str, digest: _Digest, encoding: str | None) -> bool:
    is_crypt = digest.algorithm == "md5" and encoding is None and _MD5_CRYPT.fullmatch(rest) is not None
    return (is_crypt and not digest.salted) or _kept(rest, digest, encoding) is not None


def _kept(rest: str, digest: _Digest, encoding: str | None) -> bytes | None:
    """Digest and salt; None where they have the wrong length."""
    kept = _decoded(rest, digest, encoding)
    if kept is None or len(kept) < digest.bytes or (len(kept) > digest.bytes) is not digest.salted:
        return None
    return kept


def _decoded(rest: str, digest: _Digest, encoding: str | None) -> bytes | None:
    is_hex = encoding == "hex" or (encoding is None and not digest.salted and len(rest) == 2 * digest.bytes)
    try:
        return bytes.fromhex(rest) if is_hex else base64.b64decode(rest, validate=True)
    except ValueError:  # binascii.Error is one
        return None

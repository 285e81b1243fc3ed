"""Stored passwords: what we write Dovecot reads, what Dovecot writes we read, and nonsense matches nothing."""

from __future__ import annotations

import base64
import hashlib
import shutil
import string
import subprocess
import threading
from functools import cache
from typing import Final

import pytest
from django.utils import translation
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core import passwords
from core.passwords import (
    MAX_ROUNDS,
    MAX_SECRET_BYTES,
    MIN_ROUNDS,
    SCHEMES,
    PasswordError,
    check_secret,
    dummy_verify,
    hash_password,
    is_usable,
    libcrypt,
    needs_rehash,
    random_password,
    scheme_of,
    unusable_password,
    verify_password,
)

SECRET: Final = "Grün und toll 1"
DOVEADM: Final = shutil.which("doveadm") or "/usr/bin/doveadm"
with_dovecot: Final = pytest.mark.skipif(shutil.which(DOVEADM) is None, reason="Dovecot is not installed")
with_libcrypt: Final = pytest.mark.skipif(not libcrypt.is_available(), reason="no libcrypt here")
CRYPT_SCHEMES: Final = ["sha512crypt", "sha256crypt", "md5crypt", "crypt"]

# Published: the SHA-crypt specification, crypt_blowfish, RFC 1321, FIPS 180.
VECTORS: Final = {
    "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS"
    "35inz1": "Hello world!",
    "{SHA512-CRYPT}$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHB"
    "y/YTBmSK6H9qs/y3RnOaw5v.": "Hello world!",
    "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5": "Hello world!",
    "{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": "U*U",
    "{MD5}900150983cd24fb0d6963f7d28e17f72": "abc",
    "{PLAIN-MD5}900150983CD24FB0D6963F7D28E17F72": "abc",
    "{LDAP-MD5}kAFQmDzST7DWlj99KOF/cg==": "abc",
    "{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=": "abc",
    "{SHA1.hex}a9993e364706816aba3e25717850c26c9cd0d89d": "abc",
    "{SHA256}ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=": "abc",
    "{sha256}ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad": "abc",
    "{PLAIN}abc": "abc",
    "{CLEARTEXT}{PLAIN}abc": "{PLAIN}abc",
    "{PLAIN.hex}616263": "abc",
    "{PLAIN.b64}YWJj": "abc",
}
DOVECOT_SCHEMES: Final = [
    "SHA512-CRYPT",
    "SHA256-CRYPT",
    "MD5-CRYPT",
    "DES-CRYPT",
    "CRYPT",
    "SSHA",
    "SSHA256",
    "SSHA512",
    "SMD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA512",
    "PLAIN",
    "CLEAR",
    "CLEARTEXT",
    "PLAIN-MD5",
    "LDAP-MD5",
    "MD5",
    "ARGON2I",
    "ARGON2ID",
    "SSHA256.hex",
    "SSHA.b64",
    "SHA512.HEX",
    "SMD5.hex",
]
NOT_A_PASSWORD: Final = [
    "",
    "abc",
    "{PLAIN}",
    "{}abc",
    "{NOSUCH}abc",
    "{SSHA}abc",
    "{SSHA}",
    "{SSHA}" + base64.b64encode(hashlib.sha1(b"abc").digest()).decode(),  # noqa: S324 - a digest without its salt
    "{SHA256}abc",
    "{MD5}abc",
    "{CRYPT}abc",
    "{CRYPT}*0",
    "{CRYPT}*1",
    "{CRYPT}*",
    "{CRYPT}!",
    "{SHA512-CRYPT}*0",
    "{SHA512-CRYPT}$6$",
    "{SHA512-CRYPT}$6$saltstring",
    "{SHA512-CRYPT}$6$saltstring$",
    "{BLF-CRYPT}$2b$12$short",
    "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$YQ$YQ",
    "{ARGON2ID}$argon2id$v=19$m=0,t=0,p=0$c2FsdHNhbHQ$YWJj",
    "{ARGON2ID}argon",
    "{PLAIN.hex}61626",
    "{PLAIN.hex}ff",
    "{SHA.base32}abc",
    "{CRAM-MD5}abc",
    "{SCRAM-SHA-256}4096,abc,abc,abc",
    "PLAIN}abc",
    " {PLAIN}abc",
    "{PLAIN abc",
    "{PLAIN}abc\n",
    "{PLAIN}\ud800",
    "{PLAIN}" + "a" * 10_000,
]


def doveadm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [DOVEADM, *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - our own list


def dovecot_accepts(secret: str, stored: str) -> bool:
    result = doveadm("pw", "-t", stored, "-p", secret)
    return result.returncode == 0 and "(verified)" in result.stdout


def dovecot_hash(secret: str, *options: str) -> str:
    result = doveadm("pw", "-p", secret, *options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@cache
def stored_by(scheme: str, secret: str = SECRET) -> str:
    return hash_password(secret, scheme, MIN_ROUNDS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_password_verifies_against_its_own_hash_and_no_other_does(scheme: str) -> None:
    stored = stored_by(scheme)
    assert stored.startswith(f"{{{SCHEMES[scheme].prefix}}}")
    assert verify_password(SECRET, stored)
    for wrong in ("", "grün und toll 1", "Gr", stored, "Grün", "x" + SECRET):
        assert not verify_password(wrong, stored)


@pytest.mark.parametrize("scheme", [name for name, scheme in SCHEMES.items() if scheme.max_bytes > 72])
def test_every_byte_counts_except_in_des_crypt(scheme: str) -> None:
    other = SECRET[:-1] + "2"
    assert verify_password(other, stored_by(scheme)) is (scheme == "crypt")


@pytest.mark.parametrize(("stored", "secret"), VECTORS.items())
def test_known_vectors_verify(stored: str, secret: str) -> None:
    assert verify_password(secret, stored)
    assert not verify_password(secret + "x", stored)


@with_dovecot
@pytest.mark.parametrize("scheme", SCHEMES)
def test_dovecot_accepts_what_we_store_and_rejects_the_rest(scheme: str) -> None:
    stored = stored_by(scheme)
    assert dovecot_accepts(SECRET, stored)
    for wrong in ("wrong", stored, stored.partition("}")[2]):
        assert dovecot_accepts(wrong, stored) is (wrong == SECRET)


@with_dovecot
@pytest.mark.parametrize("scheme", ["sha512crypt", "plain"])
@pytest.mark.parametrize("secret", ["a", "{PLAIN}abc", "{SHA512-CRYPT}$6$salt$abc", "'\"\\ %s$`", "密码" * 4])
def test_a_password_that_looks_like_a_stored_one_is_only_a_password(scheme: str, secret: str) -> None:
    stored = stored_by(scheme, secret)
    assert verify_password(secret, stored)
    assert dovecot_accepts(secret, stored)
    inner = secret.partition("}")[2]
    if inner:
        assert not verify_password(inner, stored)
        assert not dovecot_accepts(inner, stored)


@with_dovecot
@pytest.mark.parametrize(
    "options",
    [
        [],
        *(["-s", scheme] for scheme in DOVECOT_SCHEMES),
        ["-s", "BLF-CRYPT", "-r", "5"],
        ["-s", "SHA512-CRYPT", "-r", "6000"],
    ],
)
def test_we_accept_what_dovecot_stores(options: list[str]) -> None:
    stored = dovecot_hash(SECRET, *options)
    assert verify_password(SECRET, stored)
    assert not verify_password("wrong", stored)


@with_dovecot
@pytest.mark.parametrize(
    "stored", [stored for stored in NOT_A_PASSWORD if stored.startswith("{") and len(stored) < 99]
)
def test_dovecot_rejects_what_we_reject(stored: str) -> None:
    if "\ud800" not in stored:
        assert not dovecot_accepts("abc", stored)


@pytest.mark.parametrize("stored", NOT_A_PASSWORD)
@pytest.mark.parametrize("secret", ["abc", "", "*0", "*1", "\x00", "\ud800"])
def test_what_is_not_a_stored_password_matches_nothing(stored: str, secret: str) -> None:
    assert not verify_password(secret, stored)


@pytest.mark.parametrize("stored", NOT_A_PASSWORD)
def test_the_stored_text_itself_is_never_the_password(stored: str) -> None:
    assert not verify_password(stored, stored)
    assert not verify_password(stored.partition("}")[2], stored) or stored.startswith("{PLAIN}")


@pytest.mark.parametrize(
    "stored",
    [
        "{SHA512-CRYPT}$6$rounds=999999999$saltstring$" + "." * 86,
        "{BLF-CRYPT}$2b$31$" + "." * 53,
        "{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
        "{ARGON2ID}$argon2id$v=19$m=65536,t=999,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
        "{CRYPT}_zzzzsalt" + "." * 11,
        "{CRYPT}$y$jFT$salt$" + "." * 43,
    ],
)
def test_an_absurdly_expensive_hash_is_refused_at_once(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(*_arguments: object) -> str:
        pytest.fail("the work was begun")

    monkeypatch.setattr(libcrypt, "crypt", too_late)
    monkeypatch.setattr(passwords, "_verify_by", too_late)
    assert not verify_password("abc", stored)


def crafted() -> st.SearchStrategy[str]:
    """Texts that come close to a stored password."""
    scheme = st.sampled_from(
        [*(each.prefix for each in SCHEMES.values()), "SSHA", "SSHA512", "SMD5", "ARGON2I", "DES-CRYPT"]
    )
    alphabet = st.text(alphabet="$./=,*_!{}abAB019-\u00e9\x00", max_size=30)
    argon = st.builds(
        "$argon2id$v=19$m={},t={},p={}${}${}".format,
        st.integers(0, 64),
        st.integers(0, 3),
        st.integers(0, 3),
        st.text(alphabet="AQw+/", max_size=30),
        st.text(alphabet="AQw+/", max_size=50),
    )
    blowfish = st.builds(
        "$2{}$0{}${}".format,
        st.sampled_from("abyx"),
        st.integers(0, 5),
        st.text(alphabet="./Oeu6a", min_size=52, max_size=54),
    )
    sha = st.builds(
        "${}${}{}${}".format,
        st.sampled_from("1567y"),
        st.sampled_from(["", "rounds=1000$", "rounds=0$", "rounds=01000$", "rounds=x$", "rounds=999$"]),
        st.text(alphabet="./ab$", max_size=18),
        st.sampled_from(["." * 22, "." * 43, "." * 86, "", "é"]),
    )
    return st.builds(
        "{{{}}}{}".format, scheme, st.one_of(alphabet, argon, blowfish, sha, st.text(max_size=14))
    )


@settings(deadline=None)
@given(st.text(max_size=20) | st.text(alphabet=st.characters(), max_size=5), st.text() | crafted())
@example("a", "{DES-CRYPT}" + "." * 13)
@example("a", "{CRYPT}_/..." + "." * 15)
def test_hostile_stored_values_are_answered_not_raised(secret: str, stored: str) -> None:
    assert verify_password(secret, stored) in {True, False}
    assert needs_rehash(stored) in {True, False}
    assert scheme_of(stored) is None or stored.startswith("{")
    assert is_usable(stored) in {True, False}


@with_libcrypt
@settings(deadline=None, max_examples=60)
@given(
    st.binary(min_size=1, max_size=80).map(lambda raw: raw.replace(b"\0", b"\xff")),
    st.sampled_from(
        [
            "$6$rounds=1000$saltsaltsaltsalt$",
            "$6$rounds=5000$salt$",
            "$6$salt$",
            "$5$rounds=1001$s$",
            "$5$salt$",
            "$5$$",
            "$1$saltsalt$",
            "$1$s$",
            "ab",
            "./",
            "_/...salt",
        ]
    ),
)
def test_python_and_the_c_library_make_the_same_hash(raw: bytes, setting: str) -> None:
    made = libcrypt.crypt(raw, setting)
    assert made is not None
    assert passwords._python_crypt(raw, setting) == made
    assert passwords._python_crypt(raw, made) == made


@pytest.mark.parametrize("scheme", CRYPT_SCHEMES)
def test_without_the_c_library_passwords_still_work(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = stored_by(scheme)
    monkeypatch.setattr(libcrypt, "_library", None)
    assert not libcrypt.is_available()
    slow = hash_password(SECRET, scheme, MIN_ROUNDS)
    for stored in (fast, slow):
        assert verify_password(SECRET, stored)
        assert not verify_password("wrong", stored)
    monkeypatch.undo()
    assert verify_password(SECRET, slow)


@with_libcrypt
def test_a_failure_of_the_c_library_is_not_a_hash() -> None:
    assert libcrypt.crypt(b"abc", "*0") is None
    assert libcrypt.crypt(b"abc", "$nonsense$") is None
    assert libcrypt.crypt(b"a" * 600, "$6$salt$") is None


@with_libcrypt
def test_threads_do_not_disturb_each_other() -> None:
    wanted = {secret: stored_by("sha512crypt", secret) for secret in ("one", "two", "three", "four")}
    wrong: list[str] = []

    def work(secret: str) -> None:
        wrong.extend(
            other
            for other in wanted
            for _again in range(10)
            if verify_password(secret, wanted[other]) is not (secret == other)
        )

    threads = [threading.Thread(target=work, args=(secret,)) for secret in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("", "password_empty"),
        ("a\x00b", "password_character"),
        ("\ud800", "password_character"),
        ("a" * (MAX_SECRET_BYTES + 1), "password_too_long"),
    ],
)
def test_what_cannot_be_a_password_is_refused_with_a_reason(scheme: str, secret: str, code: str) -> None:
    for attempt in (lambda: hash_password(secret, scheme, MIN_ROUNDS), lambda: check_secret(secret, scheme)):
        with pytest.raises(PasswordError) as refusal:
            attempt()
        assert refusal.value.code == code
        with translation.override("en"):
            assert refusal.value.message.endswith(".")
            assert str(refusal.value) == refusal.value.message


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_longest_secret_of_each_scheme_works(scheme: str) -> None:
    most = SCHEMES[scheme].max_bytes
    secret = "a" * most
    stored = stored_by(scheme, secret)
    assert verify_password(secret, stored)
    with pytest.raises(PasswordError) as refusal:
        hash_password(secret + "a", scheme, MIN_ROUNDS)
    assert refusal.value.code == "password_too_long"
    assert refusal.value.params == {"limit": most}


def test_bcrypt_does_not_accept_what_only_begins_with_the_password() -> None:
    secret = "é" * 36
    stored = stored_by("blfcrypt", secret)
    assert verify_password(secret, stored)
    assert not verify_password(secret + "x", stored)


@pytest.mark.parametrize("rounds", [-1, 0, MIN_ROUNDS - 1, MAX_ROUNDS + 1, 999_999_999])
@pytest.mark.parametrize("scheme", ["sha512crypt", "sha256crypt"])
def test_rounds_out_of_range_are_refused(scheme: str, rounds: int) -> None:
    with pytest.raises(PasswordError) as refusal:
        hash_password(SECRET, scheme, rounds)
    assert refusal.value.code == "rounds_out_of_range"


@pytest.mark.parametrize("scheme", ["", "SHA512-CRYPT", "nosuch", "ssha"])
def test_only_the_listed_schemes_can_be_chosen(scheme: str) -> None:
    for attempt in (
        lambda: hash_password(SECRET, scheme),
        lambda: needs_rehash("{PLAIN}abc", scheme),
        lambda: check_secret(SECRET, scheme),
    ):
        with pytest.raises(PasswordError) as refusal:
            attempt()
        assert refusal.value.code == "scheme_unknown"


def test_the_scheme_is_read_without_case_and_dashes() -> None:
    _brace, _prefix, rest = stored_by("sha512crypt").partition("}")
    for spelling in ("SHA512-CRYPT", "sha512-crypt", "SHA512CRYPT", "Sha-512-Crypt"):
        assert verify_password(SECRET, f"{{{spelling}}}{rest}")
        assert scheme_of(f"{{{spelling}}}{rest}") == "SHA512-CRYPT"
        assert not needs_rehash(f"{{{spelling}}}{rest}", "sha512crypt", MIN_ROUNDS)
    assert scheme_of("{ssha}x") == "SSHA"
    assert scheme_of("x") is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_hash_is_renewed_exactly_when_scheme_or_cost_differ(scheme: str) -> None:
    stored = stored_by(scheme)
    assert not needs_rehash(stored, scheme, MIN_ROUNDS)
    assert needs_rehash(stored, scheme, MIN_ROUNDS + 1) is SCHEMES[scheme].uses_rounds
    for other in SCHEMES:
        assert needs_rehash(stored, other, MIN_ROUNDS) is (other != scheme)


def test_cheaper_or_foreign_forms_of_a_scheme_are_renewed() -> None:
    assert needs_rehash("{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "blfcrypt")
    assert needs_rehash("{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$c2FsdA$YWJj", "argon2id")
    assert needs_rehash("{CRYPT}$6$salt$" + "." * 86, "crypt")
    assert needs_rehash("{SHA512-CRYPT}$5$salt$" + "." * 43, "sha512crypt", 5_000)
    assert not needs_rehash("{SHA512-CRYPT}$6$salt$" + "." * 86, "sha512crypt", 5_000)
    assert needs_rehash("nonsense")


def test_two_hashes_of_one_password_differ_where_the_scheme_has_a_salt() -> None:
    salted = {scheme for scheme in SCHEMES if hash_password(SECRET, scheme, MIN_ROUNDS) != stored_by(scheme)}
    assert salted == {"sha512crypt", "sha256crypt", "argon2id", "blfcrypt", "md5crypt", "crypt"}


def test_a_random_password_has_letters_of_both_cases_and_digits() -> None:
    made = {random_password(8) for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(password) == 8
        assert set(password) <= set(string.ascii_letters + string.digits)
        assert set(password) & set(string.ascii_lowercase)
        assert set(password) & set(string.ascii_uppercase)
        assert set(password) & set(string.digits)
    assert len(random_password(1)) == 1
    with pytest.raises(ValueError, match="0"):
        random_password(0)


def test_an_unusable_password_matches_nothing() -> None:
    stored = unusable_password()
    assert stored != unusable_password()
    assert not is_usable(stored)
    assert is_usable(stored_by("md5"))
    for secret in ("abc", stored, stored.partition("}")[2], "!"):
        assert not verify_password(secret, stored)


@with_dovecot
def test_dovecot_matches_nothing_with_an_unusable_password() -> None:
    stored = unusable_password()
    for secret in ("abc", stored, stored.partition("}")[2]):
        assert not dovecot_accepts(secret, stored)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_dummy_verification_does_the_same_work_as_a_wrong_password(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dummy_verify("wrong", scheme, MIN_ROUNDS)  # the dummies of some schemes are made at first use
    stored = stored_by(scheme)
    done: list[str] = []
    crypt, by = passwords._crypt, passwords._verify_by

    def seen_crypt(raw: bytes, setting: str) -> str | None:
        done.append("$".join(setting.split("$")[:3]) if SCHEMES[scheme].uses_rounds else "crypt")
        return crypt(raw, setting)

    def seen_by(handler: object, raw: bytes, rest: str) -> bool:
        done.append(rest[:29] if scheme == "argon2id" else rest[:7])
        return by(handler, raw, rest)

    monkeypatch.setattr(passwords, "_crypt", seen_crypt)
    monkeypatch.setattr(passwords, "_verify_by", seen_by)
    dummy_verify("wrong", scheme, MIN_ROUNDS)
    dummy_work = list(done)
    done.clear()
    assert not verify_password("wrong", stored)
    assert dummy_work == done
    assert len(done) == (scheme not in {"plain", "md5", "sha256"})

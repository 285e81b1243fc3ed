"""A hosting company in a private PostgreSQL: many mailboxes, and what usually comes with them.

    python bench/data.py [--mailboxes 100000] [--domains 500] [--aliases 25000] [--crowd 0] [--rebuild]

Prints how long loading took, and proves the published tables that other benchmarks load with SQL: by default the
project's own derivation must agree with them for a tenth of the domains; with --rebuild it walks everything, finds
nothing to do, and is then timed on empty tables.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.db import connection

from admin import publication
from admin.models import Domain
from bench.measuring import Table, heading
from core import passwords
from core.actor import Actor, Credential
from core.models import User
from core.roles import Role
from relaydomains.models import RelayDomain, Service

SEED = 20261122
PASSWORD = "Correct-Horse-7"  # noqa: S105 - nobody's
PUBLISHED = ("mail_domain", "mail_route", "mail_user", "mail_sender", "mail_transport", "mail_check")


@dataclass(frozen=True, slots=True)
class Size:
    """How much to load; *crowd* of the mailboxes are in the first domain, beside its share."""

    mailboxes: int
    domains: int
    # One for four mailboxes unless said otherwise.
    aliases: int | None = None
    crowd: int = 0

    def __str__(self) -> str:
        parts = f"{self.mailboxes:,} mailboxes in {self.domains:,} domains, {self.some_aliases:,} aliases"
        return f"{parts}, {self.crowd:,} of the mailboxes in one domain" if self.crowd else parts

    @property
    def some_aliases(self) -> int:
        """How many, forwards and catch-alls not counted."""
        return self.mailboxes // 4 if self.aliases is None else self.aliases


# Choices "one in k" hang on md5 of a number, so every run loads the same rows. The domain of a mailbox changes from
# row to row: neighbours in a domain are not neighbours on disk, as in a system that grew.
_SOURCES = """
CREATE FUNCTION pg_temp.draw(seed text, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    AS $$ SELECT ('x' || substr(md5(seed || n), 1, 8))::bit(32)::bigint $$;

-- Rows that fit together by construction: no need to look every foreign key up.
SET session_replication_role = replica;

INSERT INTO admin_domain (name, type, quota, default_mailbox_quota, enabled, owner_id, creation, last_modification)
    SELECT substr(md5('domain' || n), 1, 9) || '.example', CASE WHEN n % 50 = 15 THEN 'relaydomain' ELSE 'domain' END,
        0, 1024, n % 50 <> 7 AND n % 500 <> 115, {owner}, now(), now()
    FROM generate_series(1, {domains}) n;
INSERT INTO postfix_relay_domains_relaydomain (domain_id, target_host, target_port, service_id, verify_recipients,
        creation, last_modification)
    SELECT id, CASE id % 3 WHEN 0 THEN 'mx' || id || '.target.example' WHEN 1 THEN '192.0.2.' || id % 255
        ELSE '2001:db8::' || 1 + id % 255 END, 25, {service}, id % 100 = 65, now(), now()
    FROM admin_domain WHERE type = 'relaydomain';
INSERT INTO admin_domainalias (name, target_id, enabled, owner_id, creation, last_modification)
    SELECT 'www-' || name, id, true, {owner}, now(), now() FROM admin_domain
    WHERE id % 10 = 3 OR type = 'relaydomain';
INSERT INTO admin_domainname (name, domain_id) SELECT name, id FROM admin_domain;
INSERT INTO admin_domainname (name, alias_id) SELECT name, id FROM admin_domainalias;

CREATE TEMP TABLE person AS
    SELECT n, d.id AS domain_id, d.name AS domain,
        (ARRAY['marie','jan','sofia','luca','emma','noah','lea','paul','nina','tom'])[1 + n / {domains} % 10] || '.'
        || (ARRAY['weber','rossi','novak','dupont','jansen','silva','berg','costa'])[1 + n / {domains} / 10 % 8]
        || n / {domains} AS local_part
    FROM generate_series(0, {mailboxes} - {crowd} - 1) n
    JOIN (SELECT id, name, row_number() OVER (ORDER BY id) - 1 AS place FROM admin_domain) d
        ON d.place = n % {domains};
INSERT INTO person SELECT n, id, name, 'one.of.many' || n
    FROM generate_series({mailboxes} - {crowd}, {mailboxes} - 1) n,
        (SELECT id, name FROM admin_domain ORDER BY id LIMIT 1) d;
INSERT INTO core_user (username, email, password, is_active, owner_id, date_joined)
    SELECT local_part || '@' || domain, local_part || '@' || domain, '{password}', n % 50 <> 11, {owner}, now()
    FROM person ORDER BY n;
INSERT INTO admin_mailbox (address, domain_id, user_id, quota, owner_id, creation, last_modification)
    SELECT p.local_part, p.domain_id, u.id, 1024, {owner}, now(), now()
    FROM person p JOIN core_user u ON u.username = p.local_part || '@' || p.domain ORDER BY p.n;
INSERT INTO admin_quota (username, bytes, messages)
    SELECT email, pg_temp.draw('bytes', id) / 4, pg_temp.draw('messages', id) % 20000 FROM core_user WHERE email <> '';
ANALYZE core_user, admin_mailbox, admin_domain;

CREATE TEMP TABLE place AS
    SELECT m.id, m.domain_id, d.name AS domain, u.email, row_number() OVER (PARTITION BY m.domain_id ORDER BY m.id) - 1
        AS nth, count(*) OVER (PARTITION BY m.domain_id) AS many, row_number() OVER (ORDER BY m.id) AS n
    FROM admin_mailbox m JOIN core_user u ON u.id = m.user_id JOIN admin_domain d ON d.id = m.domain_id;
CREATE UNIQUE INDEX ON place (domain_id, nth);
CREATE UNIQUE INDEX ON place (n);
ANALYZE place;
-- Number 1, 5, 9 ... beside the mailbox of that place; when those end, the ones between.
INSERT INTO admin_alias (address, domain_id, owner_id, enabled, expire_at, description, creation, last_modification)
    SELECT concat('team', a.n, CASE WHEN a.n % 40 = 29 THEN '+list' END, '@', domain), domain_id, {owner},
        a.n % 50 <> 17,
        CASE WHEN a.n % 100 = 33 THEN now() - interval '1 day' WHEN a.n % 20 = 5 THEN now() + interval '1 year' END,
        '', now(), now()
    FROM (SELECT 4 * k - 3 AS n FROM generate_series(1::bigint, {aliases}) k) a
    JOIN place ON place.n = 1 + (a.n - 1 + (a.n - 1) / {mailboxes}) % {mailboxes} ORDER BY a.n;
ANALYZE admin_alias;
INSERT INTO admin_alias (address, domain_id, description, creation, last_modification)
    SELECT email, domain_id, '', now(), now() FROM place WHERE n % 50 = 22 ORDER BY n;
INSERT INTO admin_alias (address, domain_id, description, creation, last_modification)
    SELECT '@' || name, id, '', now(), now() FROM admin_domain WHERE id % 10 = 7;
-- Two recipients: somebody of the domain, and somebody else there or, one in ten, outside. A forward (an alias of a
-- mailbox's own address) keeps a copy; a catch-all has one recipient.
CREATE TEMP TABLE chosen AS
    SELECT a.id AS alias_id, a.address LIKE '@%' AS catch_all, own.id AS own_id, own.email AS own,
        one.id AS one_id, one.email AS one, two.id AS two_id, two.email AS two,
        pg_temp.draw('outside', a.id) % 10 = 0 AS outside
    FROM admin_alias a
    LEFT JOIN place own ON own.email = a.address AND own.domain_id = a.domain_id
    JOIN (SELECT domain_id, max(many) AS many FROM place GROUP BY domain_id) d ON d.domain_id = a.domain_id
    JOIN place one ON one.domain_id = a.domain_id AND one.nth = pg_temp.draw('one', a.id) % d.many
    JOIN place two ON two.domain_id = a.domain_id
        AND two.nth = (pg_temp.draw('one', a.id) % d.many + 1 + pg_temp.draw('two', a.id) % (d.many - 1)) % d.many;
INSERT INTO modoboa_admin_aliasrecipient (alias_id, address, mailbox_id)
    SELECT alias_id, coalesce(own, one), coalesce(own_id, one_id) FROM chosen ORDER BY alias_id;
INSERT INTO modoboa_admin_aliasrecipient (alias_id, address, mailbox_id)
    SELECT alias_id, CASE WHEN away THEN 'friend' || alias_id || '@elsewhere.example' ELSE two END,
        CASE WHEN NOT away THEN two_id END
    FROM (SELECT *, outside OR own IS NOT NULL AS away FROM chosen WHERE NOT catch_all) c ORDER BY alias_id;
INSERT INTO admin_senderaddress (address, mailbox_id)
    SELECT CASE WHEN n % 200 = 8 THEN '@' || domain ELSE 'sales' || n || '@' || domain END, id
    FROM place WHERE n % 20 = 8 ORDER BY n;
-- A customer of 1 % of the mailboxes changed its name a minute ago.
INSERT INTO admin_mailboxoperation (kind, mailbox_id, old_address, new_address, source, target, next_attempt_at,
        created_at, last_error)
    SELECT 'rename', id, 'old-' || email, email, '', '', now(), now(), '' FROM place WHERE n % 100 = 44 ORDER BY n;
DROP TABLE person, place, chosen;
SET session_replication_role = DEFAULT;
"""

# publication.py in set-based SQL, for what the data above contain. Proven by `disagreement`, not by reading.
_PUBLISH = """
CREATE TEMP TABLE moving AS SELECT old_address AS address FROM admin_mailboxoperation
    UNION SELECT new_address FROM admin_mailboxoperation;
CREATE TEMP TABLE box AS SELECT m.id, u.email, u.is_active AS open, u.password, d.name || '/' || m.address AS home,
        m.quota, d.type = 'relaydomain' AS relayed FROM admin_mailbox m JOIN core_user u ON u.id = m.user_id
    JOIN admin_domain d ON d.id = m.domain_id AND d.enabled;
CREATE TEMP TABLE goal AS SELECT r.alias_id, r.address, coalesce(b.email, '') AS login
    FROM modoboa_admin_aliasrecipient r LEFT JOIN box b ON b.id = r.mailbox_id AND b.open
    WHERE r.mailbox_id IS NULL OR b.id IS NOT NULL;
CREATE TEMP TABLE working AS SELECT a.*, d.type = 'relaydomain' AS relayed FROM admin_alias a
    JOIN admin_domain d ON d.id = a.domain_id AND d.enabled;
CREATE INDEX ON box (email); CREATE INDEX ON goal (alias_id); CREATE INDEX ON working (address);
ANALYZE moving, box, goal, working;

INSERT INTO mail_domain (name, kind, target)
    SELECT name, CASE type WHEN 'relaydomain' THEN 'relay' ELSE 'mailbox' END, '' FROM admin_domain WHERE enabled;
INSERT INTO mail_domain (name, kind, target) SELECT a.name, 'alias', d.name FROM admin_domainalias a
    JOIN admin_domain d ON d.id = a.target_id AND d.enabled WHERE a.enabled;
CREATE TEMP TABLE onward AS SELECT w.address, g.address COLLATE "C" AS target, g.login, w.expire_at AS expires_at
    FROM working w JOIN goal g ON g.alias_id = w.id LEFT JOIN box b ON b.email = w.address
    WHERE w.enabled AND (w.expire_at IS NULL OR w.expire_at > now()) AND b.open IS NOT FALSE;
INSERT INTO mail_route (address, targets, ends_here, expires_at)
    SELECT * FROM (
        SELECT address, address AS targets, true AS ends_here, NULL::timestamptz AS expires_at
            FROM (SELECT email AS address FROM box UNION SELECT address FROM working) known
            WHERE address NOT LIKE '@%' AND address NOT IN (SELECT address FROM onward)
        UNION ALL SELECT address, string_agg(DISTINCT target, ',' ORDER BY target),
            bool_or(target = address), max(expires_at) FROM onward GROUP BY address
        UNION ALL SELECT '@' || name, '@' || target, false, NULL FROM mail_domain WHERE kind = 'alias'
    ) route ORDER BY md5(address);
INSERT INTO mail_user (address, password, home, quota, is_moving)
    SELECT * FROM (
        SELECT email, password, home, quota, email IN (SELECT address FROM moving) FROM box WHERE open
        UNION ALL SELECT address, '{CRYPT}*', '', 0, true FROM moving
            WHERE address NOT IN (SELECT email FROM box WHERE open)
    ) person (address) ORDER BY md5(address);
INSERT INTO mail_sender (address, logins, alias_logins, extra_logins)
    SELECT address, string_agg(DISTINCT login, ',' ORDER BY login),
        coalesce(string_agg(DISTINCT login, ',' ORDER BY login) FILTER (WHERE source = 'alias'), ''),
        coalesce(string_agg(DISTINCT login, ',' ORDER BY login) FILTER (WHERE source = 'extra'), '')
    FROM (
        SELECT email COLLATE "C" AS address, email COLLATE "C" AS login, 'mailbox' AS source FROM box WHERE open
        UNION ALL SELECT address, login, 'alias' FROM onward WHERE login NOT IN ('', address)
        UNION ALL SELECT s.address, b.email, 'extra' FROM admin_senderaddress s JOIN box b ON b.id = s.mailbox_id
            WHERE b.open
    ) sender GROUP BY address ORDER BY md5(address);
CREATE TEMP TABLE relay AS SELECT d.name, s.name AS service, r.target_host, r.target_port, r.verify_recipients
    FROM postfix_relay_domains_relaydomain r JOIN admin_domain d ON d.id = r.domain_id AND d.enabled
    JOIN postfix_relay_domains_service s ON s.id = r.service_id;
INSERT INTO mail_transport (address, kind, service, host, port)
    SELECT * FROM (
        SELECT address, 'retry', '', '', 0 FROM moving
        UNION ALL SELECT address, 'local', '', '', 0 FROM (
            SELECT email AS address FROM box WHERE relayed
            UNION SELECT address FROM working WHERE relayed AND address NOT LIKE '@%' AND NOT EXISTS (
                SELECT FROM goal g WHERE g.alias_id = working.id AND g.address = working.address AND g.login = '')
            ) here WHERE address NOT IN (SELECT address FROM moving)
        UNION ALL SELECT name, 'relay', service, target_host, target_port FROM relay
    ) transport (address) ORDER BY md5(address);
-- What is held, and answers for itself, or must not be taken for another address.
CREATE TEMP TABLE held AS
    SELECT known.address, o.address IS NULL AS closed
    FROM (SELECT email AS address FROM box UNION SELECT address FROM working) known
    LEFT JOIN box b ON b.email = known.address
    LEFT JOIN working a ON a.address = known.address
    LEFT JOIN (SELECT DISTINCT address FROM onward) o ON o.address = known.address
    WHERE known.address NOT LIKE '@%' AND b.open IS NOT TRUE AND known.address NOT IN (SELECT address FROM moving)
        AND NOT EXISTS (SELECT FROM goal g WHERE g.alias_id = a.id AND g.address = known.address AND g.login = '');
INSERT INTO mail_check (address, action)
    SELECT * FROM (
        SELECT address, 'retry' FROM moving
        UNION ALL SELECT address, CASE WHEN closed THEN 'closed' ELSE 'open' END FROM held
            WHERE closed OR address LIKE '%+%'
        UNION ALL SELECT name, 'verify' FROM relay WHERE verify_recipients
        UNION ALL SELECT m.name, 'verify' FROM mail_domain m JOIN relay r ON r.name = m.target
            WHERE m.kind = 'alias' AND r.verify_recipients
    ) checked (address) ORDER BY md5(address);
DROP TABLE moving, box, goal, working, onward, relay, held;
"""


def super_admin() -> Actor:
    """The first account, who may do everything."""
    admin = User(username="root", role=Role.SUPER_ADMIN)
    admin.set_password(PASSWORD)
    admin.save()
    return Actor(admin, Credential.COMMAND)


def load(size: Size, owner: Actor) -> None:
    """Fill an empty database, without the published tables."""
    stored = passwords.hash_password(PASSWORD)
    sizes = {
        "domains": size.domains,
        "mailboxes": size.mailboxes,
        "aliases": size.some_aliases,
        "crowd": size.crowd,
    }
    service = Service.objects.get(name="relay").pk
    _execute(_SOURCES.format(**sizes, owner=owner.pk, password=stored, service=service))
    panel.vacuum()


def publish() -> None:
    """Fill the published tables with SQL, in a few seconds where the derivation needs minutes."""
    _execute(_PUBLISH)
    panel.vacuum()


def disagreement(one_in: int) -> int:
    """Rows that the derivation would change in some relay domains and in one of *one_in* others."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    domains = list(Domain.objects.order_by("pk").values_list("pk", flat=True))
    relayed = list(RelayDomain.objects.order_by("pk").values_list("pk", flat=True))
    ids = sorted({*chance.sample(domains, -(-len(domains) // one_in)), *relayed[:3]})
    return sum(
        difference.size
        for some in publication.chunks(ids, size=20)
        for difference in publication.differences(publication.keys_of_domains(some))
    )


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute(sql)
        cursor.execute("RESET work_mem")


def _rows(tables: tuple[str, ...]) -> int:
    with connection.cursor() as cursor:
        total = 0
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of ours
            total += cursor.fetchone()[0]
        return total


def main() -> int:
    """Load, publish, compare; 1 when the published tables are wrong."""
    parser = argparse.ArgumentParser(description="A hosting company in a private PostgreSQL.")
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--aliases", type=int)
    parser.add_argument("--crowd", type=int, default=0)
    parser.add_argument(
        "--rebuild", action="store_true", help="walk and rebuild everything with the derivation"
    )
    given = parser.parse_args()
    size = Size(given.mailboxes, given.domains, given.aliases, given.crowd)
    heading(f"Data: {size}")
    table = Table(("step", "seconds", "rows"))

    def step(name: str, start: float, rows: object) -> None:
        table.add(name, f"{time.perf_counter() - start:.1f}", f"{rows:,}")

    start = time.perf_counter()
    load(size, super_admin())
    step("load the sources with SQL, VACUUM ANALYZE", start, Domain.objects.count() + size.mailboxes)
    start = time.perf_counter()
    publish()
    step("publish with SQL, VACUUM ANALYZE", start, _rows(PUBLISHED))
    start = time.perf_counter()
    if given.rebuild:
        wrong = publication.rebuild()
        step("rebuild() finds nothing to do", start, wrong)
        for name in PUBLISHED:
            _execute(f"TRUNCATE {name}")
        start = time.perf_counter()
        step("rebuild() from nothing", start, publication.rebuild())
    else:
        wrong = disagreement(one_in=10)
        step("derive a tenth of the domains and compare", start, wrong)
    table.show()
    print(
        f"\nThe database has {panel.megabytes():,.0f} MB.",
        "" if not wrong else "THE PUBLISHED TABLES ARE WRONG.",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

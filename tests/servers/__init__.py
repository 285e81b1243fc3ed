"""Private servers for tests: databases, Postfix, Dovecot and an SMTP sink, all on loopback.

Everything is started from Debian's packages, in directories of its own, and ends with the test run.
"""

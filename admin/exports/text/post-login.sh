#!/bin/sh
@header@
# Dovecot runs it when somebody has signed in by IMAP or POP3, with the login in $USER and the server's own program
# as arguments. It notes the instant in the panel's database. Nothing that goes wrong here may keep people out: the
# database is asked in the background, for two seconds at most, and its complaints go to Dovecot's log.
# It needs to read the column email of core_user, and to change last_login.

note_login() {
    PATH=/usr/local/bin:/usr/bin:/bin
    export PATH
    # Without the connection of the person, which must be closed when the person leaves.
    exec </dev/null >/dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    # Hexadecimal digits, whatever the name is made of, so that it can never be taken for SQL.
    name=$(printf %s "$USER" | tr A-Z a-z | od -An -v -tx1 | tr -d ' \n')
    printf '%s\n' "@statement@" | timeout -k 1 2 @client@ || echo "last login of $USER was not noted" >&2
}

# Accounts without a mailbox have no address: an empty one would be theirs.
if [ -n "$USER" ]; then
    note_login &
fi
exec "$@"

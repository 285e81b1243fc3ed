"""What an account may change of itself, and by which credential."""

from core.actor import Actor, Credential


def may_change_oneself(actor: Actor, /, *_values: object) -> bool:
    """Profile, language, password: everybody, but nobody who only holds a reset link."""
    return actor.credential is not Credential.RESET_LINK


def may_manage_own_tokens(actor: Actor, /, *_values: object) -> bool:
    """A token does not make further tokens."""
    return actor.credential in {Credential.SESSION, Credential.COMMAND}


def may_open_api_settings(actor: Actor, /) -> bool:
    """The page that says whether one uses the API; whoever else has tokens makes them one by one."""
    return actor.is_super and may_manage_own_tokens(actor)


def may_reset_own_password(actor: Actor, /, *_values: object) -> bool:
    """Whoever holds a reset link; the operation looks at the link."""
    return actor.credential is Credential.RESET_LINK


def may_clean_log(actor: Actor, /) -> bool:
    """Delete old events: on the command line only, so that nobody who takes over the panel covers his tracks."""
    return actor.is_super and actor.credential is Credential.COMMAND

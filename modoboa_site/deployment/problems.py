"""What ends a deployment."""


class Problem(Exception):  # noqa: N818  an answer
    """Something that a person can mend; the message says what and how."""

"""Errors that are shown to people."""


class Failure(Exception):
    """Something a person must know: what happened, where, and what to do.

    Commands print the message without a traceback and exit with ``exit_code``.
    """

    exit_code = 1


class BadInput(Failure):
    """The request itself cannot be met as it was written (exit 2)."""

    exit_code = 2

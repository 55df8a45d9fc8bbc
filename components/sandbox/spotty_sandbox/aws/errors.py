"""What goes wrong with the local AWS, in one line for a person."""


class LocalAwsError(Exception):
    """It cannot be started, or has ended, or refuses what it was asked."""

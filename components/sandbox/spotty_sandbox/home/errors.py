"""What goes wrong in a home with a cloud, in one line for a person."""


class HomeError(Exception):
    """The cloud refuses what it was asked, or the gateway does not do what was waited for."""

"""`--hypothesis-profile=thorough` looks much longer than a day's run does."""

from hypothesis import settings

settings.register_profile("thorough", max_examples=20_000)

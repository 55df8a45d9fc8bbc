"""`spotty-sandbox demo`: the product on one laptop, with its cloud or without.

`edge` is a house at speed with the gateway in this process. With the cloud it is `cloud`: what it keeps (`kept`), how
it starts (`steps`), what is shown (`show`) and how the house lives on (`living`).
"""

from .command import run

__all__ = ["run"]

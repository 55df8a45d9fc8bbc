"""A person with a browser before the simulated Spotify, which remembers every secret that passes it."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import requests

from spotty_sandbox.spotify import Accounts, TokenSet
from spotty_sandbox.spotify.accounts import RefreshStyle

SECRET_FIELDS = ("code", "code_verifier", "refresh_token")


@dataclass
class Remembering(Accounts):
    """The accounts service, with the secrets of every exchange and the verifiers that it was shown."""

    secrets: list[str] = field(default_factory=list)
    verifiers: list[str] = field(default_factory=list)

    def token(self, form: Mapping[str, str], refresh_style: RefreshStyle | None = None) -> TokenSet:
        """As ever, with a memory."""
        self.secrets += [form[name] for name in SECRET_FIELDS if form.get(name)]
        self.verifiers.append(form.get("code_verifier", ""))
        issued = super().token(form, refresh_style)
        self.secrets += [issued.access_token, *([issued.refresh_token] if issued.refresh_token else [])]
        return issued


def follow(link: str, answer: str = "allow", *, back: bool = True) -> requests.Response:
    """Open the link and press a button; with `back` the browser goes where it is sent, else it stays on the way."""
    with requests.Session() as browser:
        browser.trust_env = False
        shown = browser.get(link, timeout=10)
        question = re.search('name="question" value="([^"]+)"', shown.text)
        if question is None:
            return shown
        form = {"question": question[1], "account": "owner", "answer": answer}
        return browser.post(urljoin(link, "/authorize"), form, timeout=10, allow_redirects=back)


def address_after(link: str, answer: str = "allow") -> str:
    """The address that Spotify sends the browser to."""
    return follow(link, answer, back=False).headers["location"]


def field_of(address: str, name: str) -> str:
    """A parameter of an address."""
    return parse_qs(urlsplit(address).query)[name][0]


def spellings(secret: str) -> set[str]:
    """A secret as it could turn up in a text: plain, URL-encoded, and in base64 at each of the three offsets."""
    found = {secret, quote(secret, safe="")}
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + secret.encode()).decode()
        # The first and the last quantum also depend on the neighbours.
        found |= {encoded[4:-4], encoded[4:-4].replace("+", "-").replace("/", "_")}
    return found


def leaks(text: str, secrets: list[str]) -> list[str]:
    """The spellings of secrets that stand in a text."""
    return [one for secret in secrets for one in spellings(secret) if one in text]

"""boto3 toward the local AWS: only with the credentials given here, and closed together."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .errors import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client is."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def variables(self) -> dict[str, str]:
        """The same for a program's environment."""
        named = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }
        return {name: value for name, value in named.items() if value is not None}


ROOT = Credentials("test", "test")
"""MiniStack's own root: a fixed word, whose signature it does not look at. It may do everything, on the loopback."""


class Clients:
    """One client a service and identity, until closed."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self.endpoint_url = endpoint_url
        self._region = region
        self._made: dict[tuple[str, Credentials], Any] = {}

    def client(self, service: str, credentials: Credentials = ROOT) -> Any:  # noqa: ANN401 - boto3 makes them at run time
        """A client for this service."""
        from botocore.config import Config  # noqa: PLC0415 - as below

        known = self._made.get((service, credentials))
        if known is None:
            # The loopback answers or it does not: a hanging server must not hang its client for minutes.
            config = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2}, proxies={})
            known = _session(credentials, self._region).client(service, endpoint_url=self.endpoint_url, config=config)
            self._made[service, credentials] = known
        return known

    def role(self, arn: str, session_name: str) -> Credentials:
        """An hour as this role. Raises LocalAwsError."""
        with refusals("assuming a role"):
            given = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=session_name)["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def close(self) -> None:
        """Close every connection."""
        for client in self._made.values():
            client.close()
        self._made.clear()


def _session(credentials: Credentials, region: str) -> Any:  # noqa: ANN401 - its client() is overloaded by literals only
    # Not at the top: a fifth of a second that every command of spotty-sandbox would pay.
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415

    bare = botocore.session.Session()
    for variable in ("config_file", "credentials_file"):  # the person's own profiles are none of ours
        bare.set_config_variable(variable, os.devnull)
    return boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=region,
        botocore_session=bare,
    )


@contextlib.contextmanager
def refusals(doing: str) -> Iterator[None]:
    """What boto3 raises in here, as one line that says what was being done."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise LocalAwsError(f"{doing}: {error}") from error

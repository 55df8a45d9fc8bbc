"""A person who has signed up and in: for tests and the demo."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from .clients import refusals

_CLIENT = "spotty-sandbox"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the user pool, and the tokens of their sign-in."""

    email: str
    sub: str
    password: str = field(repr=False)
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def seed(cognito: Any, email: str, pool_id: str, password: str | None = None) -> Person:  # noqa: ANN401 - boto3's client
    """Make the person, give them this password or a new one, and sign in. Raises LocalAwsError.

    Through an app client of its own, since the template's rightly lets nobody in by a password alone.
    """
    password = password or f"Aa1!{secrets.token_urlsafe(24)}"
    with refusals(f"seeding {email}"):
        with contextlib.suppress(cognito.exceptions.UsernameExistsException):  # from an earlier run
            cognito.admin_create_user(
                UserPoolId=pool_id,
                Username=email,
                MessageAction="SUPPRESS",
                UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            )
        cognito.admin_set_user_password(UserPoolId=pool_id, Username=email, Password=password, Permanent=True)
        found = cognito.admin_get_user(UserPoolId=pool_id, Username=email)
        tokens = cognito.admin_initiate_auth(
            UserPoolId=pool_id,
            ClientId=_client(cognito, pool_id),
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )["AuthenticationResult"]
    (sub,) = (one["Value"] for one in found["UserAttributes"] if one["Name"] == "sub")
    return Person(email, sub, password, tokens["IdToken"], tokens["AccessToken"], tokens["RefreshToken"])


def _client(cognito: Any, pool_id: str) -> str:  # noqa: ANN401 - boto3's client
    pages = cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=pool_id)
    for known in (client for page in pages for client in page["UserPoolClients"]):
        if known["ClientName"] == _CLIENT:
            return str(known["ClientId"])
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    made = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName=_CLIENT, ExplicitAuthFlows=flows)
    return str(made["UserPoolClient"]["ClientId"])

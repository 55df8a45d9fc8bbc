"""The person who is signed in."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from spotty_cloud.api.asking import AllParts, Caller, ChangeAsked, Parts, Signed, asks, body_of, problems
from spotty_cloud.errors import ConflictError, UnfitError
from spotty_cloud.tables import Change, StaleError, apply
from spotty_contract.policy import Zone
from spotty_contract.records import Part
from spotty_contract.wire import Count, UtcMs

router = APIRouter(tags=["you"])

DisplayName = Annotated[str, Field(max_length=100)]


class UserChange(ChangeAsked):
    """What to change; everything else stays.

    With `notifyByEmail` you are told when a gateway goes silent and when Spotify's consent runs out. AWS first mails a
    link to follow, to the address of your token; a changed one takes its place when you next change something here.
    """

    display_name: DisplayName | None = None
    timezone: Zone | None = None
    notify_by_email: bool | None = None


class User(Part):
    """You. `version` is 0 until something was set."""

    user_id: str
    email: str
    display_name: str
    timezone: str
    notify_by_email: bool
    version: Count
    updated_at: UtcMs | None


@router.get("/users/me", responses=problems())
def read_me(parts: AllParts, caller: Signed) -> User:
    """You, as your token and your settings say."""
    return _told(caller, _item(parts, caller))


@router.put(
    "/users/me",
    responses=problems(400, 409),
    openapi_extra=asks(UserChange, ordinary={"displayName": "Ada", "timezone": "Europe/Berlin", "version": 0}),
)
def change_me(parts: AllParts, caller: Signed, wanted: Annotated[UserChange, Depends(body_of(UserChange))]) -> User:
    """Change what is given. With a `version` that is not the present one nothing changes (409)."""
    before = _item(parts, caller)
    version = before.get("version", 0)
    if wanted.version not in {None, version}:
        raise _changed(version)
    given = wanted.model_dump(exclude_none=True, exclude={"version"})
    after = {
        **given,
        **_notified(parts, caller, before, wanted.notify_by_email),
        "email": caller.email or None,
        "version": version + 1,
        "updatedAt": parts.now_ms(),
        "deletedAt": None,
    }
    try:
        apply(Change(parts.store.users, caller.user_id, after, {"version": before.get("version")}))
    except StaleError as error:
        raise _changed(_item(parts, caller).get("version", 0)) from error
    return _told(caller, {**before, **after})


def _notified(parts: Parts, caller: Caller, before: dict[str, Any], wanted: bool | None) -> dict[str, Any]:
    """Who is told by e-mail, with SNS first: what the table then says is so, or is put right when it is said again."""
    was, address, subscription = (before.get(name) for name in ("notifyByEmail", "notifyEmail", "notifySubscription"))
    wants = bool(was) if wanted is None else wanted
    if wanted is None and (not wants or address == caller.email):
        return {}
    if wants and not caller.email:
        words = "notifyByEmail: your token names no e-mail address that you have confirmed"
        raise UnfitError(words, [{"field": "notifyByEmail", "value": wanted, "bound": words}])
    if subscription is not None and not (wants and address == caller.email):
        parts.subscriptions.end(subscription)
    if not wants:
        return {"notifyEmail": None, "notifySubscription": None}
    return {"notifyEmail": caller.email, "notifySubscription": parts.subscriptions.begin(caller.email)}


def _item(parts: Parts, caller: Caller) -> dict[str, Any]:
    return parts.store.users.get(caller.user_id) or {}


def _changed(version: int) -> ConflictError:
    return ConflictError(f"your settings are at version {version}; look at them anew", {"currentVersion": version})


def _told(caller: Caller, item: dict[str, Any]) -> User:
    return User(
        user_id=caller.user_id,
        email=caller.email,
        display_name=item.get("displayName", ""),
        timezone=item.get("timezone", "UTC"),
        notify_by_email=item.get("notifyByEmail", False),
        version=item.get("version", 0),
        updated_at=item.get("updatedAt"),
    )

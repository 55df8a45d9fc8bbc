"""The accounts service over HTTP: the consent page that a person sees, and the token endpoint that an app calls."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .accounts import ConsentRefusedError, OAuthError
from .answers import token_set
from .messages import Answer, json_answer, text_answer

if TYPE_CHECKING:
    from .accounts import Question, RefreshStyle
    from .messages import Request
    from .world import SpotifyWorld

_SCOPE_WORDS = {
    "user-read-playback-state": "See what is playing and which speakers you have",
    "user-modify-playback-state": "Play, pause and change the volume",
    "user-read-currently-playing": "See the song that is playing",
    "playlist-read-private": "See your private playlists",
    "playlist-read-collaborative": "See playlists that you share",
}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<main class="consent">{content}</main>
</html>
"""


def token_endpoint(world: SpotifyWorld, request: Request, refresh_style: RefreshStyle | None = None) -> Answer:
    """POST /api/token: a token set, or HTTP 400 with `error` and `error_description`.

    `refresh_style` holds for this one request instead of the world's.
    """
    no_store = {"cache-control": "no-store"}
    try:
        return json_answer(token_set(world.auth.token(request.form(), refresh_style)), headers=no_store)
    except OAuthError as refusal:
        content = {"error": refusal.error, "error_description": refusal.description}
        return json_answer(content, 400, headers=no_store)


def authorize(world: SpotifyWorld, request: Request) -> Answer:
    """GET /authorize shows the question; POST /authorize carries the person's answer and leads back to the app."""
    try:
        if request.method == "GET":
            return _question_page(world, world.auth.ask(request.query))
        form = request.form()
        question, account_id = form.get("question", ""), form.get("account", "")
        if form.get("answer") == "allow" and account_id in world.accounts:
            return Answer(
                303, headers={"location": world.auth.allow(question, account_id), "cache-control": "no-store"}
            )
        return Answer(303, headers={"location": world.auth.deny(question), "cache-control": "no-store"})
    except ConsentRefusedError as refusal:
        content = f"<h1>This link does not work</h1><p>{escape(str(refusal))}</p>"
        return _page("This link does not work", content, "'none'", status=400)


def _question_page(world: SpotifyWorld, question: Question) -> Answer:
    app = escape(world.auth.app_name(question.client_id))
    wishes = "".join(f"<li>{escape(_SCOPE_WORDS.get(scope, scope))}</li>" for scope in question.scope.split())
    accounts = "".join(
        f'<option value="{escape(account.id)}">{escape(account.display_name)}</option>'
        for account in world.accounts.values()
    )
    back_to = urlsplit(question.redirect_uri)
    content = f"""
<p class="eyebrow">Simulated Spotify</p>
<h1>Let <b>{app}</b> use your Spotify?</h1>
<ul>{wishes or "<li>Know who you are</li>"}</ul>
<form method="post" action="/authorize">
<input type="hidden" name="question" value="{escape(question.id)}">
<label>Account <select name="account">{accounts}</select></label>
<div class="choices"><button name="answer" value="deny" class="quiet">No</button>
<button name="answer" value="allow" class="yes">Allow</button></div>
</form>
<p class="small">You go back to {escape(back_to.netloc)}. Nothing here reaches the real Spotify.</p>"""
    # A browser holds the redirect that follows a form to form-action as well, so the app's origin has to stand in it.
    return _page(f"Allow {app}?", content, f"'self' {back_to.scheme}://{back_to.netloc}")


def _page(title: str, content: str, form_action: str, *, status: int = 200) -> Answer:
    policy = (
        f"default-src 'none'; style-src 'self'; img-src data:; form-action {form_action}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return text_answer(_PAGE.format(title=title, content=content), "text/html", status, headers)

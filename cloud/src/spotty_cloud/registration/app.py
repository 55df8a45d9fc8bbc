"""Registration as an app of its own, refusing in the same form as the API. The API's document tells its routes too."""

from fastapi import FastAPI

from spotty_cloud.api.envelope import answer_in_form
from spotty_cloud.registration import routes
from spotty_cloud.registration.desk import Desk


def create_app(desk: Desk, origin: str = "") -> FastAPI:
    """The routes over this desk; pages of `origin` may ask too."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.parts = desk
    answer_in_form(app, origin)
    app.include_router(routes.router)
    return app

"""How far tests go that can go on for long: `make test WHOLE=1` lets them."""

import os

IS_WHOLE = os.environ.get("WHOLE") == "1"

"""What a component that runs for years on a small computer does not load before it is needed."""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock


def spare_memory() -> None:
    """Leave out 11 MB that are imported and not used, until somebody uses them. To be called before other imports.

    Of redis, spotipy wants the exception by which one of its caches fails; of charset_normalizer, requests wants the
    version, and the rest for text that does not say what it is; idna is for hosts whose names are not ASCII. html has
    the names of two thousand characters, for a server's error pages, and webbrowser is for a person who sits there.
    """
    load_when_needed("redis", {"RedisError": "redis.exceptions"})
    load_when_needed("charset_normalizer", {"__version__": "charset_normalizer.version"})
    for name in ("html", "idna", "webbrowser"):
        load_when_needed(name, {})


def load_when_needed(name: str, at_once: Mapping[str, str]) -> None:
    """Let this package be imported without running it, until it is asked for anything but what is in `at_once`.

    That is attributes, each with the module of the package's own where it really comes from.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, package, lock = spec.loader, module_from_spec(spec), RLock()
    is_loading = False

    def first_asked(attribute: str) -> object:
        nonlocal is_loading
        if attribute in at_once:
            return getattr(import_module(at_once[attribute]), attribute)
        if attribute.startswith("__"):  # the import system's own questions
            raise AttributeError(attribute)
        with lock:
            if not is_loading:
                is_loading = True
                loader.exec_module(package)
                package.__dict__.pop("__getattr__", None)
        if attribute in package.__dict__:
            return package.__dict__[attribute]
        raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

    package.__dict__["__getattr__"] = first_asked
    sys.modules[name] = package

"""Our own functions, built for the Python that runs them here."""

import zipfile

from spotty_sandbox.aws.ours import built


def test_unchanged_sources_are_built_once(ministack: None) -> None:  # noqa: ARG001 - its Python builds
    """The zip holds functions and libraries, compiled; asked for again it is the one that is there, untouched."""
    first = built()
    made_ns = first.stat().st_mtime_ns
    with zipfile.ZipFile(first) as archive:
        names = set(archive.namelist())
    assert {"spotty_cloud/api/function.py", "spotty_contract/records.py", "mangum/adapter.py"} <= names
    assert any(name.startswith("spotty_cloud/api/__pycache__/function.") for name in names)
    told = list[str]()
    assert built(told.append) == first
    assert (told, first.stat().st_mtime_ns) == ([], made_ns)

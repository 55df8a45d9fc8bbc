"""What MiniStack is started with: its own Python, a folder, and an environment that holds nothing of the person's."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import LocalAwsError

ROOT = Path(__file__).parents[4]
PROGRAM = Path(__file__).with_name("inside.py")
ENVIRONMENT = ROOT / ".cache" / "local-aws"
"""Where `make local-aws` puts it."""
REGION = "us-east-1"


def python(environment: Path = ENVIRONMENT) -> Path:
    """The Python that has MiniStack. Raises LocalAwsError where it was not made."""
    if not (environment / ".ready").is_file():
        raise LocalAwsError(f"there is no MiniStack in {environment}; make it with: make local-aws")
    return environment / "bin" / "python"


def variables(folder: Path, http_port: int, mqtt_port: int) -> dict[str, str]:
    """Its whole environment: functions run with a copy, so nothing of ours may be in it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "GATEWAY_PORT": str(http_port),
        "IOT_MTLS_PORT": str(mqtt_port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": REGION,
        "AUTH": "true",  # else no policy is looked at, IoT's or IAM's
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",  # else it removes containers that it takes for its own
    }

"""A small component as anybody writes one: says that it runs, publishes a greeting, ends on SIGTERM or a command."""

import os
import signal
import sys
import threading
from types import FrameType

from awsiot.greengrasscoreipc import model
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2


def main() -> int:
    """Run until told otherwise; the exit code is the command's."""
    ended = threading.Event()
    codes: list[int] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        print("asked to stop", flush=True)  # noqa: T201 - its log
        ended.set()

    def obey(event: model.SubscriptionResponseMessage) -> None:
        codes.append(int(event.json_message.message["exit"]))
        ended.set()

    signal.signal(signal.SIGTERM, stop)
    thing = os.environ["AWS_IOT_THING_NAME"]
    client = GreengrassCoreIPCClientV2()
    greeting = client.get_configuration(key_path=["greeting"]).value["greeting"]
    client.subscribe_to_topic(topic="local/exit", on_stream_event=obey)
    client.publish_to_iot_core(topic_name=f"sensors/{thing}/hello/motion", qos="1", payload=greeting.encode())
    client.update_state(state="RUNNING")
    print(f"hello from {sys.argv[1]} in {os.getcwd()}", flush=True)  # noqa: T201, PTH109 - its log
    ended.wait()
    client.close()
    return codes[0] if codes else 0


if __name__ == "__main__":
    sys.exit(main())

"""Look at the dead letter queue, and give what lies there another try.

  list   tells what lies there and why (the default)
  send   sends it to be collected again, only those records that failed, and deletes it when the queue has taken it
  drop   deletes it for good

send and drop only tell what they would do unless --yes is given. Records are collected once however often they are
sent. Reasons: unreadable, unknown_version (send it again after an upgrade), nobodys (its gateway is nobody's), foreign
(another's item), unstorable, not_collected (ingest failed for an hour), rule_failed (an IoT rule's action failed),
strange (nothing of ours).

Exit status: 0 all done, 1 something still waits that should not, 2 wrong call, or AWS did not answer.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.redrive.queues import Queues
from spotty_cloud.redrive.waiting import Waiting

_OUTPUTS = ("DeadLetterQueueUrl", "RecordsQueueUrl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked. The exit status."""
    options = _parser().parse_args(arguments)
    try:
        with closing(boto3.client("sqs")) as sqs:
            queues = Queues(sqs, *_urls(options))
            try:
                return _act(options, queues)
            finally:
                queues.let_go()
    except (ClientError, BotoCoreError, LookupError) as error:
        print(f"redrive: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spotty_cloud.redrive",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("deed", nargs="?", choices=["list", "send", "drop"], default="list", help="what to do")
    parser.add_argument("--stack", default="spotty-dev", help="whose queues (default spotty-dev)")
    parser.add_argument("--dead-letters", metavar="URL", help="the queues themselves, instead of --stack;")
    parser.add_argument("--records", metavar="URL", help="both of them")
    parser.add_argument("--why", action="append", default=[], metavar="WORD", help="only for this reason; repeatable")
    parser.add_argument("--gateway", metavar="ID", help="only of this gateway")
    parser.add_argument("--id", action="append", default=[], help="only this message; repeatable")
    parser.add_argument("--most", type=int, default=1000, metavar="N", help="look at so many at most (default 1000)")
    parser.add_argument("--yes", action="store_true", help="really send, or drop")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _urls(options: argparse.Namespace) -> tuple[str, str]:
    if options.dead_letters and options.records:
        return options.dead_letters, options.records
    if options.dead_letters or options.records:
        raise LookupError("give both --dead-letters and --records, or neither and --stack")
    with closing(boto3.client("cloudformation")) as cloudformation:
        (stack,) = cloudformation.describe_stacks(StackName=options.stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
    missing = [name for name in _OUTPUTS if name not in outputs]
    if missing:
        raise LookupError(f"the stack {options.stack} has no output {missing[0]}: is it one of ours?")
    return outputs[_OUTPUTS[0]], outputs[_OUTPUTS[1]]


def _act(options: argparse.Namespace, queues: Queues) -> int:
    chosen = [one for one in queues.look(options.most) if _is_chosen(options, one)]
    for one in chosen:
        print(json.dumps(one.told()) if options.json else _line(one))
    if options.deed == "list":
        return 0
    able = [one for one in chosen if options.deed == "drop" or one.text is not None]
    if not options.yes:
        print(f"redrive: {options.deed} --yes would {options.deed} {len(able)} of these {len(chosen)}", file=sys.stderr)
        return 0
    left = queues.send(able) if options.deed == "send" else queues.delete([one.id for one in able])
    done, waiting = len(able) - len(left), len(left) + len(chosen) - len(able)
    print(f"redrive: {options.deed}: {done} done, {waiting} still wait", file=sys.stderr)
    return 1 if waiting else 0


def _is_chosen(options: argparse.Namespace, one: Waiting) -> bool:
    return (
        (not options.why or bool({*options.why} & {*one.why}))
        and options.gateway in {None, one.gateway_id}
        and (not options.id or one.id in options.id)
    )


def _line(one: Waiting) -> str:
    since = datetime.fromtimestamp(one.since / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    lines = "" if one.lines is None else f" (records {', '.join(map(str, one.lines))} of it)"
    cannot = "" if one.text is not None else "; cannot be sent again"
    reasons = "; ".join(one.reasons[:3])
    return f"{one.id}  {since}  {one.topic or '-'}  {', '.join(one.why)}{lines}: {reasons}{cannot}"


if __name__ == "__main__":
    sys.exit(main())

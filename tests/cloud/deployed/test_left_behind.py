from tests.cloud.deployed.home import Deployed
from tests.cloud.deployed.left_behind import places_with


def test_a_secret_that_is_written_down_is_found(deployed: Deployed) -> None:
    """What is asked at the end of all tests is worth asking: in a table, a queue and a log each is found."""
    aws, secret = deployed.aws, "what-nobody-may-write-down"
    dynamo, sqs, logs = (aws.client(service) for service in ("dynamodb", "sqs", "logs"))
    table = deployed.table("CommandsTable")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    logs.create_log_group(logGroupName="told")
    logs.create_log_stream(logGroupName="told", logStreamName="one")
    try:
        dynamo.put_item(TableName=table, Item={"commandId": {"S": "told"}, "said": {"M": {"it": {"S": secret}}}})
        sqs.send_message(QueueUrl=url, MessageBody=f"it is {secret}.")
        event = {"timestamp": 1_795_262_400_000, "message": f"it is {secret}."}
        logs.put_log_events(logGroupName="told", logStreamName="one", logEvents=[event])
        assert places_with(aws, {secret}) == {f"table {table}", f"queue {url}", "log told"}
    finally:
        dynamo.delete_item(TableName=table, Key={"commandId": {"S": "told"}})
        sqs.delete_queue(QueueUrl=url)
        logs.delete_log_group(logGroupName="told")
    assert places_with(aws, {secret}) == set()

"""Deploys every template, in order and with the parameters of params/dev.json, to moto: AWS's services on this machine.

    dry_run.py             to a server of its own, which ends with it
    dry_run.py ENDPOINT    to the server that listens there

Nothing of it leaves the machine. What the server made is printed; moto knows no alarms, saved queries and policies of
queues, topics and buckets: those are only parsed, and counted as passed over. Ends with 1 when a stack does not come up.
"""

import json
import logging
import pathlib
import re
import sys
import warnings

import boto3

HERE = pathlib.Path(__file__).parent
# As deploy.sh does it: what the images need first, and last what has to be named.
ORDER = ["foundation", *re.search(r"^STACKS=\((.+)\)$", (HERE / "deploy.sh").read_text(), re.M)[1].split(), "fleet"]
# What is looked up in the parameter store, and what changes with each deployment. The values are made up.
STORE = {
    "graphql-endpoint": "https://example.appsync-api.us-east-1.amazonaws.com/graphql",
    "graphql-key-secret-arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:graphql-AbCdEf",
    "content-owner": "made-up-owner",
    "youtube-secret-arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:youtube-AbCdEf",
}
EACH_TIME = {"ImageTag": "0123456789ab"}


def deploy(endpoint):
    keys = {"region_name": "us-east-1", "aws_access_key_id": "moto", "aws_secret_access_key": "moto"}

    def client(service):
        return boto3.client(service, endpoint_url=endpoint, **keys)

    known = json.loads((HERE / "params/dev.json").read_text())["Parameters"] | EACH_TIME
    for name, value in STORE.items():
        client("ssm").put_parameter(Name=f"/dn-maintenance/dev/{name}", Value=value, Type="String")
    # What is there before us.
    client("ecs").create_cluster(clusterName=known["ClusterName"])
    client("s3").create_bucket(Bucket=known["ReportBucketName"])

    stacks = client("cloudformation")
    failed = 0
    for name in ORDER:
        body = (HERE / f"{name}.yaml").read_text()
        asked = {p["ParameterKey"] for p in stacks.get_template_summary(TemplateBody=body)["Parameters"]}
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in known.items() if k in asked]
        stack = f"dn-maintenance-{name}-dev"
        try:
            stacks.create_stack(
                StackName=stack,
                TemplateBody=body,
                Parameters=parameters,
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            status = stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            pages = stacks.get_paginator("list_stack_resources").paginate(StackName=stack)
            made = [r.get("ResourceType") for page in pages for r in page["StackResourceSummaries"]]
        except Exception as error:  # whatever it is, the other stacks are tried too
            status, made = f"{type(error).__name__}: {error}", []
        failed += status != "CREATE_COMPLETE"
        kinds = [f"{made.count(kind)} {kind}" for kind in sorted({kind for kind in made if kind})]
        passed_over = sum(not kind for kind in made)
        print(f"{stack}: {status}: {', '.join(kinds)}; {passed_over} passed over")
    return 1 if failed else 0


def main():
    unlisted = {path.stem for path in HERE.glob("*.yaml")} ^ set(ORDER)
    if unlisted:
        print(f"the order of a deployment and the templates differ by {sorted(unlisted)}")
        return 1
    if len(sys.argv) > 1:
        return deploy(sys.argv[1])

    from moto.server import ThreadedMotoServer

    logging.disable()
    warnings.simplefilter("ignore")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        return deploy(f"http://{host}:{port}")
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())

"""Carries calls to moto by AWS's own Python client: a JSON list of [service, method, arguments] in, the answers out."""

import json
import sys

import boto3

endpoint = sys.argv[1]
clients = {}


def client(service):
    if service not in clients:
        clients[service] = boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="moto",
            aws_secret_access_key="moto",
        )
    return clients[service]


def plain(value):
    return value.read().decode() if hasattr(value, "read") else str(value)


answers = [getattr(client(service), method)(**arguments) for service, method, arguments in json.load(sys.stdin)]
json.dump(answers, sys.stdout, default=plain)

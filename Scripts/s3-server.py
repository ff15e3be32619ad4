#!/usr/bin/env python3
"""An S3 server for the tests: moto on a free port of the loopback, which checks every signature.

Usage: s3-server.py [HOST]     (an address of this machine to listen on; default 127.0.0.1)

Prints one line of JSON, {"endpoint", "bucket", "region", "access_key", "secret_key"}, and ends when its input does, so
that it never outlives whoever started it. Runs in .venv-s3 (Scripts/python-env.sh s3).
"""

import json
import logging
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
BUCKET = "spile-tests"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # Until it is told to check, it takes any key.
    anyone = {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "any",
        "aws_secret_access_key": "any",
    }
    boto3.client("s3", **anyone).create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", **anyone)
    iam.create_user(UserName="tests")
    iam.put_user_policy(UserName="tests", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    key = iam.create_access_key(UserName="tests")["AccessKey"]
    request = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data=b"0", method="POST")
    request.add_header("Content-Type", "text/plain")
    urllib.request.urlopen(request).read()
    print(
        json.dumps(
            {
                "endpoint": endpoint,
                "bucket": BUCKET,
                "region": REGION,
                "access_key": key["AccessKeyId"],
                "secret_key": key["SecretAccessKey"],
            }
        ),
        flush=True,
    )
    sys.stdin.buffer.read()
    server.stop()


if __name__ == "__main__":
    main()

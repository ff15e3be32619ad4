"""The S3 server of Scripts/s3-server.py as a process of the tests. It ends with them. Standard library only."""

import json
import os
import subprocess
import urllib.parse

from spile_server import ROOT

PYTHON = os.path.join(ROOT, ".venv-s3/bin/python")


class S3:
    """Keeps everything in memory: it is stalled and cut off, and not killed."""

    def __init__(self, log: str, host: str = "127.0.0.1"):
        if not os.access(PYTHON, os.X_OK):
            raise RuntimeError(f"there is no {PYTHON}: run Scripts/python-env.sh s3")
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                [PYTHON, os.path.join(ROOT, "Scripts/s3-server.py"), host],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True,
            )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the S3 server did not start; see {log}")
        self.access = json.loads(line)
        self.host = host
        self.port = urllib.parse.urlsplit(self.access["endpoint"]).port

    def url(self, key: str) -> str:
        """The address of an object, or of the store behind a prefix as `--store` takes it."""
        return f"s3://{self.access['bucket']}/{key}"

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a server needs besides the address, behind a station on another port if one is named."""
        return {
            "AWS_ACCESS_KEY_ID": self.access["access_key"],
            "AWS_SECRET_ACCESS_KEY": self.access["secret_key"],
            "AWS_REGION": self.access["region"],
            "SPILE_S3_ENDPOINT": f"http://{self.host}:{port or self.port}",
        }

    def stop(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

"""A spout as the examples of pachyderm-sdk have them: its client finds the server itself; then commit after commit."""

import io
import os
import time
import uuid

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs


def main():
    client = {"from_config": Client.from_config, "new_in_cluster": Client.new_in_cluster}[os.environ["WAY"]]()
    repo = pfs.Repo(name=os.environ["SPOUT"], type="user")
    branch = pfs.Branch(repo=repo, name="master")
    while True:
        with client.pfs.commit(branch=branch) as commit:
            print("writing a commit", flush=True)
            commit.put_file_from_bytes(path=f"/{uuid.uuid4()}", data=os.urandom(1024))
            commit.put_file_from_file(path="/seen", file=io.BytesIO(b"1\n"), append=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()

"""A spout of the first steps with python-pachyderm: a client without arguments, then commit after commit."""

import os
import time
import uuid

import python_pachyderm


def main():
    client = python_pachyderm.Client()
    spout = os.environ["SPOUT"]
    while True:
        with client.commit(spout, "master") as commit:
            print("writing a commit", flush=True)
            client.put_file_bytes(commit, f"/{uuid.uuid4()}", os.urandom(1024))
            client.put_file_bytes(commit, "/seen", b"1\n", append=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()

"""The output of a spout: where it was, and commits that say where it is. Copy this file beside your program.

Needs pachyderm-sdk. What the server does with the headers is in docs/EXACTLY_ONCE.md.
"""

import json
import os
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import grpc
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from pachyderm_sdk.interceptor import MetadataClientInterceptor


class Output:
    """The output branch of the spout that this program is. Address, token and names come from the environment."""

    def __init__(self):
        self._client = Client.new_in_cluster()
        name = f"{os.environ['PPS_PROJECT_NAME']}/{os.environ['PPS_PIPELINE_NAME']}@master"
        self._branch = pfs.Branch.from_uri(name)
        # The metadata of the newest commit of this spout; empty before the first.
        with open(os.environ["SPILE_RESUME_FILE"], encoding="utf-8") as file:
            self.position: dict[str, str] = json.load(file)["metadata"]

    def write(
        self, files: Mapping[str, Sequence[bytes]], position: Mapping[str, object], key: str, replace: bool = False
    ) -> None:
        """Appends to each path its pieces (`replace`: in place of what is there), in one commit with the position.

        Returns when the commit is durable. The same key again changes nothing and succeeds. After an error the commit
        may be there or not: end the program, or call again with the same key.
        """
        headers = [("spile-idempotency-key", key)]
        headers += [("spile-commit-metadata", f"{quote(name)}={quote(str(value))}") for name, value in position.items()]
        channel = grpc.intercept_channel(self._client._channel, MetadataClientInterceptor(headers))
        type(self._client.pfs)(channel, get_transaction_id=lambda: None).modify_file(self._requests(files, replace))

    def _requests(self, files, replace):
        yield pfs.ModifyFileRequest(set_commit=pfs.Commit(branch=self._branch, repo=self._branch.repo))
        for path, pieces in files.items():
            if replace:
                yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))
            for piece in pieces:
                yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=piece))

"""What there is before the writers come: a repo for each role, a spout that counts, a pipeline that copies."""

import json
import sys

from pachyderm_sdk.api import pfs

from calls import Calls
from company import COUNTING, Company
from roles import ROLES

SPOUT = "count"
COPY = "copy"


def lay(company: Company) -> None:
    calls = Calls(company.addresses[0], 60)
    for name in ROLES:
        calls.pfs.create_repo(repo=pfs.Repo.from_uri(name))
    # Writes that expect a head need one to begin with.
    calls.put(pfs.Commit.from_uri("heads@master"), "/first", b"first\n")
    calls.close()
    create(company, {
        "pipeline": {"name": COPY},
        "input": {"pfs": {"name": "in", "repo": "feed", "branch": "master", "glob": "/*"}},
        "transform": {"cmd": ["sh", "-c", "cp /pfs/in/* /pfs/out/"]},
    })
    create(company, {
        "pipeline": {"name": SPOUT},
        "spout": {},
        "transform": {"cmd": [sys.executable, COUNTING]},
    })


def create(company: Company, spec: dict) -> None:
    done = company.spile(company.members[0], "create", "pipeline", "-f", "-", given=json.dumps(spec))
    if done.returncode:
        raise RuntimeError(f"the pipeline {spec['pipeline']['name']} was not made: {done.stderr}")

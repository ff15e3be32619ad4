"""What tests of containers need: podman, an image of Scripts/test-image.sh, and a static program for the containers.

Standard library only, as the environments of the tests differ.
"""

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

from spile_server import ROOT

BUSYBOX = "localhost/spile-tests/busybox:latest"
# With the packages of .venv-examples, pachyderm-sdk among them; with those of .venv-legacy.
PYTHON = "localhost/spile-tests/python:latest"
LEGACY = "localhost/spile-tests/python-legacy:latest"
# What containers get as `pachctl`.
STATIC = os.path.abspath(os.environ.get("SPILE_STATIC") or os.path.join(ROOT, "bin/spile"))
# How a server is started that runs containers when it is asked to.
OPTIONS = ("--tool-binary", STATIC, "--image-pull", "never")
_numbers = itertools.count(1)


def podman(*arguments, given=None) -> str:
    return subprocess.run(["podman", *arguments], input=given, capture_output=True, text=True, check=True).stdout


@functools.cache
def missing(image: str) -> str:
    """Why tests with this image cannot run here; empty if they can."""
    if not shutil.which("podman"):
        return "there is no podman"
    if subprocess.run(["podman", "image", "exists", image], check=False).returncode:
        return f"there is no image {image}: run Scripts/test-image.sh"
    if not os.access(STATIC, os.X_OK):
        return f"there is no {STATIC} to mount as pachctl: run `make build`"
    kind = subprocess.run(["readelf", "--program-headers", STATIC], capture_output=True, text=True, check=False)
    if "INTERP" in kind.stdout:
        return f"{STATIC} is not static"
    return ""


@contextlib.contextmanager
def image_with(base: str, folder: str):
    """An image with the files of a folder in /app, as a user builds one; gone afterwards, and what still runs of it."""
    name = f"localhost/spile-tests/made-{os.getpid()}-{next(_numbers)}"
    given = f"FROM {base}\nCOPY . /app\n"
    podman("build", "--quiet", "--pull-never", "--tag", name, "--file", "-", folder, given=given)
    try:
        yield name
    finally:
        if left := podman("ps", "--all", "--quiet", "--filter", f"ancestor={name}").split():
            podman("rm", "--force", "--ignore", *left)
        podman("image", "rm", "--force", name)


@contextlib.contextmanager
def transform_of(program: str, launcher: str, base: str):
    """Command and image that run a program of Tests/clients/programs, as `cmd` and `image` of a transform."""
    source = os.path.join(ROOT, "Tests/clients/programs", program)
    if launcher == "process":
        yield {"cmd": [sys.executable, source]}
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(source, folder)
        with image_with(base, folder) as image:
            yield {"cmd": ["python3", f"/app/{program}"], "image": image}

"""What tests of containers need: podman, an image of Scripts/test-image.sh, and a static program for the containers.

Standard library only, as the environments of the tests differ.
"""

import functools
import os
import shutil
import subprocess

from spile_server import ROOT

BUSYBOX = "localhost/spile-tests/busybox:latest"
PYTHON = "localhost/spile-tests/python:latest"
# What containers get as `pachctl`.
STATIC = os.path.abspath(os.environ.get("SPILE_STATIC") or os.path.join(ROOT, "bin/spile"))
# How a server is started that runs containers when it is asked to.
OPTIONS = ("--tool-binary", STATIC, "--image-pull", "never")


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

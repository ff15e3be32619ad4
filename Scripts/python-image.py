"""Lays out the files of an image with this interpreter and the packages of its environment: no registry is asked.

Usage: .venv-NAME/bin/python Scripts/python-image.py FOLDER

Everything keeps its path on this machine but the packages, which go to /opt/packages (PYTHONPATH of the image).
Standard library only. Linux with glibc.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

# Of the library, what no spout needs and what is large.
LEFT_OUT = {"test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "site-packages",
            "dist-packages", "pip", "setuptools", "pkg_resources", "_pytest", "pygments"}


def copy_tree(source: str, target: str) -> None:
    # Times are kept: what is compiled stays valid, so that a container does not compile anew at each start.
    def left_out(_, names):
        return [name for name in names if name in LEFT_OUT or name.startswith("config-")]

    shutil.copytree(source, target, symlinks=False, ignore=left_out, dirs_exist_ok=True)


def copy_file(path: str, root: str) -> None:
    target = root + path
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(path, target)


def libraries(path: str) -> list[str]:
    """The shared libraries that a program or library needs, the loader among them."""
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", told)


def binaries(folder: str):
    for place, _, names in os.walk(folder):
        for name in names:
            if ".so" in name:
                yield os.path.join(place, name)


def main() -> None:
    root = sys.argv[1]
    program = os.path.realpath(sys.executable)
    library = sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})
    packages = sysconfig.get_path("purelib")
    copy_file(program, root)
    copy_tree(library, root + library)
    copy_tree(packages, root + "/opt/packages")
    needed = {one for path in [program, *binaries(library), *binaries(packages)] for one in libraries(path)}
    for path in sorted(needed):
        if not path.startswith(packages):
            copy_file(path, root)
    os.makedirs(root + "/usr/bin", exist_ok=True)
    if not os.path.lexists(root + "/usr/bin/python3"):
        os.symlink(program, root + "/usr/bin/python3")
    os.makedirs(root + "/etc", exist_ok=True)
    os.makedirs(root + "/tmp", exist_ok=True)
    os.chmod(root + "/tmp", 0o1777)
    with open(root + "/etc/passwd", "w", encoding="utf-8") as file:
        file.write("root:x:0:0:root:/:\nnobody:x:65534:65534:nobody:/:\n")


main()

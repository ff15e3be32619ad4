"""A spout whose work is done on another host: what the launch was told goes into a file, and then it only waits.

The file is what an agent on the other host would be given. Nothing that ends this program ends the work over there, so
a launch that was replaced goes on as a zombie while its host cannot be reached.
"""

import json
import os
import signal


def main() -> None:
    with open(os.environ["SPILE_RESUME_FILE"], encoding="utf-8") as file:
        position = int(json.load(file)["metadata"].get("next", 0))
    order = {
        "repo": os.environ["PPS_PIPELINE_NAME"], "token": os.environ["PACH_PYTHON_AUTH_TOKEN"], "position": position,
    }
    path = os.path.join(os.environ["ORDERS"], f"{os.getpid()}.new")
    with open(path, "w", encoding="ascii") as file:
        json.dump(order, file)
    os.rename(path, path.replace(".new", ".json"))
    signal.pause()


if __name__ == "__main__":
    main()

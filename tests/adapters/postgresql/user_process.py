"""One user of an embedded server, as a process of its own: prints what it found, then does what the lines on its input say.

Run by the tests: `python user_process.py DATA_FOLDER`. Needs nothing but the standard library and the repository.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from adapters.postgresql.embedded import EmbeddedPostgres


def main() -> None:
    server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
    url = server.start()
    print(json.dumps({"url": url, "server": server.server_pid(), "adopted": server.adopted, "uid": os.geteuid()}), flush=True)
    for line in sys.stdin:
        if line.strip() == "fork":
            child = os.fork()
            if child == 0:
                server.release()
                os._exit(0)
            os.waitpid(child, 0)
            print(json.dumps({"server": server.server_pid()}), flush=True)
        if line.strip() == "release":
            server.release()
            print(json.dumps({"server": server.server_pid()}), flush=True)
            return


if __name__ == "__main__":
    main()

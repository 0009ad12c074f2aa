"""Stands between a client and a server on standard input and output.

tap.py RECORD COMMAND [ARGUMENT ...]

Passes on what the server writes, and keeps in the folder RECORD, under a name of this process, a
copy of it (PID.out), what it wrote to standard error (PID.err), and at the end its exit status
(PID.status). The client's end of standard input is the server's own.
"""

import os
import signal
import subprocess
import sys

record, *command = sys.argv[1:]
base = os.path.join(record, str(os.getpid()))
with open(base + ".out", "wb") as copy, open(base + ".err", "wb") as error:
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=error)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    listening = True
    while chunk := os.read(server.stdout.fileno(), 1 << 16):
        copy.write(chunk)
        copy.flush()
        # A client that is gone is the server's affair, not the end of the record.
        while listening and chunk:
            try:
                chunk = chunk[os.write(1, chunk) :]
            except BrokenPipeError:
                listening = False
    status = server.wait()
# Under its name only when it is whole.
with open(base + ".partial", "w") as file:
    file.write(str(status))
os.rename(base + ".partial", base + ".status")
sys.exit(status if status >= 0 else 128 - status)

#!/usr/bin/env python3
"""Measures how long `chinwag swarm` takes to end after one SIGINT and after two. It interrupts every scenario at random
moments, against targets that talk for ever, that never read, and that serve. It prints the longest times in
milliseconds.

    cargo build --release && python3 benches/interrupts.py [--runs 20] [--program target/release/chinwag]
"""

import argparse
import random
import signal
import socket
import subprocess
import threading
import time

SCENARIOS = {
    "hold": "hold --time 60 --peers 200",
    "flood": "flood --messages 1000000000 --peers 200",
    "flood, 4 MiB a write": "flood --messages 1000000000 --peers 100 --batch 65536",
    "pace": "pace --time 60 --pace 100 --peers 200",
    "churn": "churn --messages 1000000000",
    "fan-out": "fan-out --rounds 1000 --peers 200",
    "flood, 2 processes": "flood --messages 1000000000 --peers 200 --processes 2",
}


def server(serve):
    """Listens, and calls `serve` for each connection on a thread of its own. Returns the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def accept():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=serve, args=(stream,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def talk(stream):
    """Reads what comes, and sends a message ten times a second, whatever it read. It never ends."""
    stream.settimeout(0.1)
    try:
        stream.sendall(b"127.0.0.1:9 N connected chinwag/1\n")
        while True:
            try:
                if not stream.recv(1 << 20):
                    time.sleep(0.1)
            except TimeoutError:
                pass
            stream.sendall(b"127.0.0.1:9 N have you heard\n")
    except OSError:
        pass


def ignore(stream):
    """Never reads, and keeps the connection open."""
    kept.append(stream)


kept = []


def await_catching(run):
    """Waits until the process catches SIGINT, if the system reports that. Before that, the signal would just kill it."""
    while True:
        try:
            with open(f"/proc/{run.pid}/status") as status:
                caught = next(line for line in status if line.startswith("SigCgt:"))
        except FileNotFoundError:
            return
        if int(caught.split()[1], 16) & 1 << signal.SIGINT - 1:
            return
        time.sleep(0.01)


def worst(program, port, scenario, runs, signals):
    longest = 0.0
    for _ in range(runs):
        words = [program, "swarm", f"127.0.0.1:{port}", *scenario.split(), "--lines", "--timeout", "60"]
        run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_catching(run)
        # The moment is anywhere from the first dials to the middle of the run.
        time.sleep(random.random())
        begun = time.monotonic()
        for _ in range(signals):
            run.send_signal(signal.SIGINT)
            time.sleep(0.002)
        assert run.wait() == 130, run.returncode
        longest = max(longest, time.monotonic() - begun)
        kept.clear()
    return longest * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/chinwag")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    node = subprocess.Popen(
        [options.program, "--headless", "--quiet", "--name", "n", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    served = int(node.stdout.readline().split()[-1])
    threading.Thread(target=node.stdout.read, daemon=True).start()
    targets = {"talks": server(talk), "never reads": server(ignore), "serves": served}
    print(f"{'':22}" + "".join(f"{target + ', ' + str(n):>18}" for target in targets for n in (1, 2)))
    for name, scenario in SCENARIOS.items():
        row = [worst(options.program, port, scenario, options.runs, n) for port in targets.values() for n in (1, 2)]
        print(f"{name:22}" + "".join(f"{value:15.0f} ms" for value in row), flush=True)
    node.terminate()
    node.wait()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What peers can do to a chat, measured:

- how long the worst `!ping` of a polite session takes while so many others leave 64,000 bytes unfinished, and the
  most memory that the chat took;
- how many messages that were taken while the chat quit were not shown.

    cargo build --release && python3 benches/hostile.py [--peers 4000] [--quits 100] [--program target/release/chinwag]
"""

import argparse
import socket
import subprocess
import threading
import time

UNFINISHED = b"x" * 64_000


class Chat:
    """A chat that nobody types to, and whose output is read as fast as it comes."""

    def __init__(self, program):
        words = [program, "--name", "chat", "--port", "0", "--headless", "--static-peer", "127.0.0.1:1"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.address = ("127.0.0.1", int(self.process.stdout.readline().split()[-1]))
        self.pieces, self.size = [], 0
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while piece := self.process.stdout.read1(1 << 16):
            self.pieces.append(piece)
            self.size += len(piece)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        return b"".join(self.pieces).decode()

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def worst_ping(program, peers):
    chat = Chat(program)
    session = socket.create_connection(chat.address)
    session.sendall(b"127.0.0.1:9 polite connect\n")
    session.recv(200)
    worst, is_over = 0.0, threading.Event()

    def ping():
        nonlocal worst
        while not is_over.wait(0.005):
            asked = time.monotonic()
            session.sendall(b"!ping 1\n")
            session.recv(100)
            worst = max(worst, time.monotonic() - asked)

    asker = threading.Thread(target=ping)
    asker.start()
    streams = []
    for _ in range(peers):
        stream = socket.create_connection(chat.address)
        stream.sendall(UNFINISHED)
        streams.append(stream)
    until = time.monotonic() + 60
    while chat.size < peers * len(UNFINISHED) and time.monotonic() < until:
        time.sleep(0.05)
    is_over.set()
    asker.join()
    told = "all was told" if chat.size >= peers * len(UNFINISHED) else "NOT ALL WAS TOLD"
    print(f"{peers} unfinished messages: worst ping {worst * 1000:.0f} ms, {chat.peak_mib()} MiB at most, {told}")
    chat.end()


def lost_at_quits(program, quits):
    taken, lost = 0, 0
    for _ in range(quits):
        chat = Chat(program)
        said = set()

        def speak(name):
            for number in range(100_000):
                text = f"{name}.{number}"
                try:
                    with socket.create_connection(chat.address, timeout=5) as stream:
                        stream.sendall(f"127.0.0.1:9 P {text}".encode())
                        stream.shutdown(socket.SHUT_WR)
                        if stream.recv(1) == b"":
                            said.add(text)
                except OSError:
                    if chat.process.poll() is not None:
                        return

        speakers = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
        for speaker in speakers:
            speaker.start()
        while chat.size < 4096:
            time.sleep(0.001)
        lines = chat.end().splitlines()
        for speaker in speakers:
            speaker.join()
        taken += len(said)
        lost += len(said - {line.split(" P ")[1] for line in lines if " P " in line})
    print(f"{quits} quits: {taken} messages taken, {lost} of them not shown")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--peers", type=int, default=4000)
    arguments.add_argument("--quits", type=int, default=100)
    arguments.add_argument("--program", default="target/release/chinwag")
    given = arguments.parse_args()
    worst_ping(given.program, given.peers)
    lost_at_quits(given.program, given.quits)

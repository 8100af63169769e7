#!/usr/bin/env python3
"""Measures what hostile peers can do to a chat:

- `--peers`: so many peers send 64,000 bytes without a newline. How long does the slowest `!ping` of another session
  take, and how much memory does the chat use at most?
- `--sessions`: so many sessions ask questions and do not read the answers. How much memory does the chat use at most,
  and how much afterwards?
- `--addresses`: one peer invents so many addresses. How long does a new peer wait for the answer to its connect, and
  how much memory does the chat use?
- `--stopped`: so many messages come while the chat is stopped, for longer than the time limit of their senders. How
  many messages does the chat not show whole?
- `--quits`: the chat quits so many times while peers send messages. How many messages did it take and not show?

    cargo build --release && python3 benches/hostile.py [--peers 4000] [--sessions 400] [--addresses 1000000]
        [--stopped 3000] [--quits 100] [--memory-max BYTES] [--program target/release/chinwag]

The number 0 skips a part. The script needs Linux, and a descriptor for each peer.
"""

import argparse
import itertools
import signal
import socket
import subprocess
import threading
import time

UNFINISHED = b"x" * 64_000


class Chat:
    """A chat without a user. Its output is read as fast as it comes."""

    def __init__(self, given):
        words = [given.program, "--name", "chat", "--port", "0", "--headless", "--static-peer", "127.0.0.1:1"]
        if given.memory_max:
            words += ["--memory-max", given.memory_max]
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

    def mib(self, key):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key)) // 1024

    def memory(self):
        """Reads the memory of the chat when all peers are gone."""
        time.sleep(1)
        session = self.session("newcomer", 7)
        session.close()
        time.sleep(1)
        return f"{self.mib('VmHWM')} MiB at most, {self.mib('VmRSS')} MiB afterwards"

    def session(self, name, port):
        session = socket.create_connection(self.address)
        session.sendall(f"127.0.0.1:{port} {name} connect\n".encode())
        session.recv(200)
        return session


def worst_ping(given):
    chat, peers = Chat(given), given.peers
    session = chat.session("polite", 9)
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
    # A second of silence ends a message. The chat does not print those whose connection it closed to save memory.
    time.sleep(3)
    size = -1
    while size < chat.size:
        size = chat.size
        time.sleep(1)
    is_over.set()
    asker.join()
    for stream in streams:
        stream.close()
    shown = f"{chat.size // len(UNFINISHED)} shown"
    print(f"{peers} unfinished messages: worst ping {worst * 1000:.0f} ms, {chat.memory()}, {shown}")
    chat.end()


def unread_answers(given):
    chat = Chat(given)
    sessions = [chat.session(f"deaf{n}", 10_000 + n) for n in range(given.sessions)]
    asked = b"!ping 1234567890\n" * 3000
    for session in sessions:
        session.setblocking(False)
    for _ in range(60):
        for session in sessions:
            try:
                session.send(asked)
            except OSError:
                pass
    for session in sessions:
        session.close()
    memory = chat.memory()
    closed = chat.end().count("the memory for all peers was full")
    print(f"{given.sessions} sessions that do not read: {memory}, {closed} of them closed to save memory")


def invented_addresses(given):
    chat = Chat(given)
    hosts = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(200), range(250), range(250)))
    with socket.create_connection(chat.address) as stream:
        lines = (f"{host}:9 nobody hello\n" for host in itertools.islice(hosts, given.addresses))
        while part := "".join(itertools.islice(lines, 10_000)):
            stream.sendall(part.encode())
        asked = time.monotonic()
        newcomer = socket.create_connection(chat.address, timeout=60)
        newcomer.sendall(b"127.0.0.1:9 newcomer connect\n")
        answer = newcomer.recv(200)
        waited = time.monotonic() - asked
    how = f"answered after {waited * 1000:.0f} ms" if answer else "NOT ANSWERED"
    print(f"{given.addresses} invented addresses: a newcomer is {how}, {chat.memory()}")
    chat.end()


def stopped(given):
    chat = Chat(given)
    texts = [f"whole.{n}" if n % 2 else f"half.{n}" for n in range(given.stopped)]
    streams = [socket.create_connection(chat.address) for _ in texts]
    # The time limit for a first message is 10 s.
    time.sleep(8)
    halves = [f"127.0.0.1:9 P {text}"[: None if "whole" in text else -4] for text in texts]
    for stream, text, half in zip(streams, texts, halves):
        if "half" in text:
            stream.sendall(half.encode())
    chat.process.send_signal(signal.SIGSTOP)
    for stream, text, half in zip(streams, texts, halves):
        rest = f"127.0.0.1:9 P {text}"[len(half) :] if "half" in text else half
        stream.sendall(f"{rest}\n".encode())
    time.sleep(3)
    chat.process.send_signal(signal.SIGCONT)
    time.sleep(2)
    shown = {line.split(" P ")[1] for line in chat.end().splitlines() if " P " in line}
    print(f"{given.stopped} messages around a stop: {len(set(texts) - shown)} of them not shown whole")


def lost_at_quits(given):
    taken, lost = 0, 0
    for _ in range(given.quits):
        chat = Chat(given)
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
    print(f"{given.quits} quits: {taken} messages taken, {lost} of them not shown")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"peers": (4000, worst_ping), "sessions": (400, unread_answers)}
    parts |= {"addresses": (1_000_000, invented_addresses), "stopped": (3000, stopped), "quits": (100, lost_at_quits)}
    for part, (count, _) in parts.items():
        arguments.add_argument(f"--{part}", type=int, default=count)
    arguments.add_argument("--memory-max")
    arguments.add_argument("--program", default="target/release/chinwag")
    given = arguments.parse_args()
    for part, (_, measure) in parts.items():
        if getattr(given, part):
            measure(given)

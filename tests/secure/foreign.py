#!/usr/bin/env python3
"""The other side of an encrypted session, in the words of Python's noiseprotocol.

    foreign.py vector                checks the official vector of the pattern
    foreign.py dial ADDRESS NAME     dials, says connect, and takes the offer in the answer
    foreign.py listen NAME           waits for a connect, and makes the offer

It writes what happens to stdout, one line of JSON each. Each line of stdin is sent as a line of the session, in a frame
of its own. The end of stdin ends the connection.
"""

import base64
import json
import os
import socket
import sys
import threading
import warnings

from noise.connection import Keypair, NoiseConnection

PATTERN = b"Noise_XX_25519_ChaChaPoly_BLAKE2s"
OFFER = b" noise="
LINE = b"!noise "
PADDED_BYTES = 64
LENGTH_BYTES = 2
PATIENCE = 20

# By the cacophony project: the keys, the prologue, and each payload with the message that it gives.
STATICS = (
    "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
)
EPHEMERALS = (
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
)
VECTOR_PROLOGUE = "4a6f686e2047616c74"
MESSAGES = (
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088437c365eb362a1c991b0557fe8a7fb187d99346765d9"
        "3ec63db6c1b01504ebeec55a2298d2dbff80eff034d20595153f63a196a6cead1e11b2bb13e336fa13616dd3e8b0a070c882ed3f1a"
        "78c7c06c93",
    ),
    (
        "462e20412e20486179656b",
        "46c3307de83b014258717d97781c1f50936d8b7d50c0722a1739654d10392d415b670c114f79b9a4f80541570f77ce88802efa4220"
        "cff733e7b5668ba38059ec904b4b8eef9448085faf51",
    ),
    ("4361726c204d656e676572", "d5e83adfaac5dc324a68f1862df54549e56d209fba707205f328b2"),
    ("4a65616e2d426170746973746520536179", "d102c9029b1f55c788f561ba7737afbccef9c9f1bf2f238167fd40ba9c1c134867"),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "cb1ce80960382c6d5d5e740ffb724d1432f0310b200fb6f8424120f506092744baa415e155",
    ),
)


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def encoded(message):
    return base64.urlsafe_b64encode(message).rstrip(b"=")


def decoded(text):
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def prologue(*parts):
    return b"chinwag/1" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def header(message):
    """The address and the name at the beginning of a message."""
    return b" ".join(message.split(b" ", 2)[:2])


def began(is_initiator, private, what_both_saw, ephemeral=None):
    noise = NoiseConnection.from_name(PATTERN)
    noise.set_as_initiator() if is_initiator else noise.set_as_responder()
    noise.set_keypair_from_private_bytes(Keypair.STATIC, private)
    if ephemeral:
        noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    noise.set_prologue(what_both_saw)
    noise.start_handshake()
    return noise


class Wire:
    """One connection: first lines, then frames."""

    def __init__(self, stream):
        self.stream = stream
        self.rest = b""

    def receive(self):
        more = self.stream.recv(65536)
        if not more:
            raise EOFError
        self.rest += more

    def once(self):
        """What is there, at least a byte: a message without a newline."""
        self.receive()
        message, self.rest = self.rest, b""
        return message

    def line(self):
        while b"\n" not in self.rest:
            self.receive()
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def exactly(self, count):
        while len(self.rest) < count:
            self.receive()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def noise_line(self):
        line = self.line()
        assert line.startswith(LINE), line
        return decoded(line[len(LINE) :])

    def send_noise_line(self, message):
        self.stream.sendall(LINE + encoded(bytes(message)) + b"\n")


class Session:
    """What comes after the handshake."""

    def __init__(self, wire, noise):
        self.wire, self.noise = wire, noise
        self.lock = threading.Lock()

    def say(self, line):
        text = line.encode() + b"\n"
        text += b"\n" * (-len(text) % PADDED_BYTES)
        with self.lock:
            sealed = bytes(self.noise.encrypt(text))
            self.wire.stream.sendall(len(sealed).to_bytes(LENGTH_BYTES, "big") + sealed)

    def hear(self):
        unfinished = b""
        while True:
            length = int.from_bytes(self.wire.exactly(LENGTH_BYTES), "big")
            text = bytes(self.noise.decrypt(self.wire.exactly(length)))
            assert len(text) % PADDED_BYTES == 0, len(text)
            *lines, unfinished = (unfinished + text).split(b"\n")
            for line in filter(None, lines):
                if line.startswith(b"!ping "):
                    self.say(line.decode().replace("ping", "pong", 1))
                tell("line", text=line.decode())

    def run(self):
        threading.Thread(target=self.type, daemon=True).start()
        try:
            self.hear()
        except (EOFError, ConnectionError):
            tell("closed")

    def type(self):
        for line in sys.stdin:
            self.say(line.rstrip("\n"))
        self.wire.stream.shutdown(socket.SHUT_WR)


def prove(state, claim, wanted):
    """The other side must have said the same with its key as in the clear."""
    assert claim == wanted, (claim, wanted)
    own, key = (encoded(pair.public_bytes).decode() for pair in (state.s, state.rs))
    tell("encrypted", own=own, key=key, claim=claim.decode())


def dial(to, name):
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = to.rsplit(":", 1)
    claim = f"127.0.0.1:{listener.getsockname()[1]} {name}".encode()
    connect = claim + b" connect"
    wire = Wire(socket.create_connection((host, int(port)), PATIENCE))
    wire.stream.sendall(connect)
    answer = wire.line()
    tell("answer", text=answer.decode())
    head, offer = answer.rsplit(OFFER, 1)
    noise = began(False, os.urandom(32), prologue(connect, head + OFFER))
    # The state of the handshake is dropped at its end.
    state = noise.noise_protocol.handshake_state
    assert noise.read_message(decoded(offer)) == b""
    wire.send_noise_line(noise.write_message(claim))
    said = bytes(noise.read_message(wire.noise_line()))
    prove(state, said, header(answer))
    Session(wire, noise).run()


def listen(name):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    tell("listening", address=address)
    claim = f"{address} {name}".encode()
    stream, _ = listener.accept()
    stream.settimeout(PATIENCE)
    wire = Wire(stream)
    connect = wire.once()
    tell("connect", text=connect.decode())
    head = claim + b" connected chinwag/1" + OFFER
    noise = began(True, os.urandom(32), prologue(connect, head))
    state = noise.noise_protocol.handshake_state
    stream.sendall(head + encoded(bytes(noise.write_message())) + b"\n")
    said = bytes(noise.read_message(wire.noise_line()))
    wire.send_noise_line(noise.write_message(claim))
    prove(state, said, header(connect))
    Session(wire, noise).run()


def vector():
    warnings.simplefilter("ignore")
    sides = [
        began(n == 0, bytes.fromhex(STATICS[n]), bytes.fromhex(VECTOR_PROLOGUE), bytes.fromhex(EPHEMERALS[n]))
        for n in range(2)
    ]
    for n, (payload, message) in enumerate(MESSAGES):
        payload, message = bytes.fromhex(payload), bytes.fromhex(message)
        writer, reader = sides[n % 2], sides[(n + 1) % 2]
        if n < 3:
            assert (writer.write_message(payload), reader.read_message(message)) == (message, payload), n
        else:
            assert (writer.encrypt(payload), reader.decrypt(message)) == (message, payload), n
    tell("right")


if __name__ == "__main__":
    mode, *words = sys.argv[1:]
    {"vector": vector, "dial": dial, "listen": listen}[mode](*words)

#!/usr/bin/env python3
"""Says on a link what nobody should believe, then something that is true, and prints `ready`.

    hostile.py OWN_ADDRESS OFF_LINK_ADDRESS VICTIM BAIT_PORT

`BAIT_PORT` of the own address is what all tales lead to. Whoever dials it is printed.
"""

import random
import socket
import struct
import sys
import threading

GROUP, PORT = "224.0.0.251", 5353
SERVICE = [b"_chinwag", b"_tcp", b"local"]
PTR, TXT, AAAA, SRV, A = 12, 16, 28, 33, 1
FLUSH = 0x8000


def name(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner, kind, data, ttl=120, flush=0):
    return name(owner) + struct.pack("!HHIH", kind, 1 | flush, ttl, len(data)) + data


def response(*records):
    return struct.pack("!6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def tale(label, port, ip, key=b"", ttl=120):
    instance, host = [label] + SERVICE, [b"tale-" + label[:40].hex().encode()[:50], b"local"]
    return response(
        record(SERVICE, PTR, name(instance), ttl),
        record(instance, SRV, struct.pack("!3H", 0, 0, port) + name(host), ttl, FLUSH),
        record(instance, TXT, bytes([4 + len(key)]) + b"key=" + key, ttl, FLUSH),
        record(host, A, socket.inet_aton(ip), ttl, FLUSH),
    )


def query(labels, kind=PTR):
    return struct.pack("!6H", 0, 0, 1, 0, 0, 0) + name(labels) + struct.pack("!2H", kind, 1)


class Link:
    def __init__(self, own):
        self.own = own

    def say(self, *datagrams, source=None, port=PORT, ttl=255):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            out.bind((source or self.own, port))
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source or self.own))
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
            for datagram in datagrams:
                out.sendto(datagram, (GROUP, PORT))


def broken(good):
    """Truncated ones, loops of pointers, counts that lie, bytes that changed."""
    header = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0)
    yield from (good[:length] for length in range(len(good)))
    yield header + b"\xc0\x0c" + struct.pack("!HHIH", PTR, 1, 120, 2) + b"\xc0\x0c" + b"chinwag"
    yield header + b"\x01a\xc0\x0c" + struct.pack("!HHIH", PTR, 1, 120, 2) + b"\xc0\x0c" + b"chinwag"
    yield struct.pack("!6H", 0, 0x8400, 65535, 65535, 65535, 65535) + good[12:]
    yield struct.pack("!6H", 0, 0, 65535, 0, 0, 0) + name(SERVICE) + struct.pack("!2H", PTR, 1)
    yield good + b"\0" * (9000 - len(good))
    dice = random.Random(7)
    for _ in range(2000):
        changed = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        yield bytes(changed)


def main(own, off_link, victim, bait_port):
    bait = socket.create_server((own, int(bait_port)))
    link, port = Link(own), int(bait_port)
    link.say(tale(b"far", port, own), ttl=254)
    link.say(tale(b"off", port, own), source=off_link)
    link.say(tale(b"low", port, own), port=5354)
    link.say(tale(b"nowhere", 0, own), tale(b"elsewhere", port, "192.0.2.1"), tale(b"within", port, "127.0.0.1"))
    unclean = [
        tale(b"esc\x1b[2J\x1b]0;x\x07", port, own, key=b"\x1b[2J\n"),
        tale(b"new\nline\r", port, own),
        tale(b"bad\xff\xfeutf8\xc2\x9b", port, own),
        tale("\u202etfel".encode(), port, own),
    ]
    link.say(*unclean)
    link.say(*broken(tale(b"\x1b[31mbroken", port, own)))
    # A datagram may be lost: a host that gets an address opens its sockets anew.
    link.say(*unclean)
    link.say(*(query(SERVICE) for _ in range(1000)))
    link.say(*(tale(victim.encode(), port, own) for _ in range(20)))
    link.say(*(tale(b"many%d" % n, port, own) for n in range(1000)))
    print("ready", flush=True)
    threading.Thread(target=sys.stdin.read).start()
    while True:
        conn, (ip, _) = bait.accept()
        print("dialled by", ip, conn.recv(200), flush=True)


main(*sys.argv[1:])

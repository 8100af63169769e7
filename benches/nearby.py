#!/usr/bin/env python3
"""Measures how a chat finds others on a link, and what the link can do to it. All of it happens in network namespaces.

- `--tries`: a chat announces, and another host asks so many times. How often is it found within a second on a quiet
  link, and how often within five if each host loses a fifth of what it should get?
- `--rest`: what does a chat that announces do for so many seconds while nobody asks?
- `--flood`: so many datagrams a second for ten seconds: junk, answers with ever new names or ever new hosts, questions
  with one or 200 in each; also while the chat looks for others. How long does a command wait, and what does it cost?

    cargo build --release && python3 benches/nearby.py [--tries 100] [--rest 300] [--flood 20000]
        [--program target/release/chinwag] [--nft nft]

The number 0 skips a part. The script needs Linux, `ip`, `unshare` and `nsenter`; for loss `nft`, at rest `strace`.
"""

import argparse
import itertools
import json
import os
import queue
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

INSIDE = "--inside"
SERVICE = [b"_chinwag", b"_tcp", b"local"]
AT_ONCE = 5


class Host:
    """A namespace with a cable to the bridge, and the addresses 10.77.N.M and fd77:N::M."""

    def __init__(self, network, number, has_v6):
        self.keeper = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        self.pid = str(self.keeper.pid)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.pid}/ns/net") == own:
            time.sleep(0.01)
        self.ip, cable = f"10.77.{network}.{number}", f"v{network}x{number}"
        run(f"ip link add {cable} type veth peer name eth0 netns {self.pid}")
        run(f"ip link set {cable} master br{network} && ip link set {cable} up")
        v6 = "ip -6 addr add fd77:%d::%d/64 dev eth0 nodad" % (network, number)
        no_v6 = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
        self.run(f"{v6 if has_v6 else no_v6} && ip link set lo up && ip addr add {self.ip}/24 dev eth0 && ip link set eth0 up")

    def words(self, *words):
        return ["nsenter", "--target", self.pid, "--net", "--", *words]

    def run(self, script):
        subprocess.run(self.words("sh", "-c", script), check=True)

    def lose_a_fifth(self, nft):
        chain = "add chain inet t in { type filter hook input priority 0; }"
        rule = "add rule inet t in udp dport 5353 numgen random mod 100 < 20 drop"
        self.run(f"{nft} 'add table inet t; {chain}; {rule}'")


class Link:
    """Two hosts on a bridge."""

    numbers = itertools.count(1)

    def __init__(self, has_v6=True):
        number = next(self.numbers)
        run(f"ip link add br{number} type bridge && ip link set br{number} up")
        self.hosts = [Host(number, host, has_v6) for host in (1, 2)]

    def end(self):
        for host in self.hosts:
            host.keeper.stdin.close()
            host.keeper.wait()


class Chat:
    """A chat whose events are read as they come."""

    def __init__(self, host, program, *words, before=()):
        words = ["--json", "--name", "anna", "--port", "8080", "--static-peer", "127.0.0.1:1", *words]
        self.process = subprocess.Popen(
            host.words(*before, program, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.events = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.put((time.monotonic(), event))

    def ask(self, command, answer):
        """How long a command waits for its answer, in seconds."""
        asked = time.monotonic()
        self.process.stdin.write(json.dumps({"command": command}).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            at, event = self.events.get(timeout=60)
            if event["event"] == answer and at > asked:
                return at - asked

    def memory(self, key):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key))

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        # A signal would end what traces it, and not the chat.
        self.process.stdin.close()
        self.process.wait()


def run(script):
    subprocess.run(["sh", "-c", script], check=True)


def settle():
    """A new link-local address is tried out for two seconds, and then told twice."""
    time.sleep(6)


def found_after(host, given, limit):
    """When one who asks finds somebody, in seconds since the program began; None if it does not."""
    words = host.words(given.program, "nearby", "--json", "--timeout", str(limit))
    began = time.monotonic()
    looking = subprocess.Popen(words, stdout=subprocess.PIPE)
    after = None
    for line in looking.stdout:
        event = json.loads(line)
        if event["event"] == "nearby-peer" or event.get("peers"):
            after = time.monotonic() - began
            break
    looking.terminate()
    looking.wait()
    looking.stdout.close()
    return after


def search(given, has_v6, is_lossy, limit):
    times, lock, left = [], threading.Lock(), iter(range(given.tries))

    def ask():
        link = Link(has_v6)
        if is_lossy:
            for host in link.hosts:
                host.lose_a_fifth(given.nft)
        chat = Chat(link.hosts[0], given.program, "--announce")
        settle()
        while True:
            with lock:
                if next(left, None) is None:
                    break
            after = found_after(link.hosts[1], given, limit)
            with lock:
                times.append(after)
            # Nobody says the same to all twice in a second.
            time.sleep(1.2)
        chat.end()
        link.end()

    askers = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    found = [after for after in times if after is not None]
    families = "IPv4 and IPv6" if has_v6 else "IPv4 alone"
    loss = "20 % loss" if is_lossy else "no loss"
    in_time = sum(after <= limit for after in found)
    print(
        f"{families}, {loss}: found within {limit} s in {in_time} of {len(times)} tries, "
        f"worst {max(found):.2f} s",
        flush=True,
    )


def tries(given):
    search(given, True, False, 1)
    search(given, False, False, 1)
    if subprocess.run(["sh", "-c", f"{given.nft} --version"], stdout=subprocess.DEVNULL).returncode:
        return print(f"no {given.nft}: loss is not measured")
    search(given, True, True, 5)
    search(given, False, True, 5)


def rest(given):
    link = Link()
    with tempfile.NamedTemporaryFile("r") as trace:
        strace = ["strace", "-f", "-tt", "-o", trace.name]
        chat = Chat(link.hosts[0], given.program, "--announce", before=strace)
        settle()
        trace.seek(0, os.SEEK_END)
        time.sleep(given.rest)
        calls = trace.read().splitlines()
        trace.seek(0)
        sent = sum("sendto(" in line and "5353" in line for line in trace)
    print(f"{given.rest} s at rest: {len(calls)} system calls; {sent} datagrams in all before")
    print("\n".join(calls[:20]))
    chat.end()
    link.end()


def name(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def answer(label, number, ip):
    instance, host = [label] + SERVICE, [b"host%d" % number, b"local"]

    def record(owner, kind, data):
        return name(owner) + struct.pack("!HHIH", kind, 1, 120, len(data)) + data

    records = [
        record(SERVICE, 12, name(instance)),
        record(instance, 33, struct.pack("!3H", 0, 0, 8080) + name(host)),
        record(instance, 16, b"\x03v=1"),
        record(host, 1, socket.inet_aton(ip)),
    ]
    return struct.pack("!6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def question(count):
    return struct.pack("!6H", 0, 0, count, 0, 0, 0)


def pour(kind, rate, seconds, ip):
    """Runs on the hostile host."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((ip, 5353))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ip))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    again = b"\xc0\x0c" + struct.pack("!2H", 12, 1)
    make = {
        "junk": lambda _: os.urandom(200),
        "answers": lambda number: answer(b"peer%d" % number, number, ip),
        "answers that change": lambda number: answer(b"peer", number, ip),
        "questions": lambda _: question(1) + name(SERVICE) + again[2:],
        "questions, 200 in each": lambda _: question(200) + name(SERVICE) + again[2:] + again * 199,
    }[kind]
    ready = [make(number) for number in range(rate if kind.startswith("answers") else 100)]
    datagrams, sent, began = itertools.cycle(ready), 0, time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        for datagram in itertools.islice(datagrams, int(spent * rate) - sent):
            out.sendto(datagram, ("224.0.0.251", 5353))
            sent += 1
        time.sleep(0.001)
    print(sent)


def dropped(host):
    """How many datagrams did not fit into the sockets of the host."""
    table = subprocess.run(host.words("cat", "/proc/net/udp"), capture_output=True, text=True).stdout
    return sum(int(line.split()[-1]) for line in table.splitlines()[1:])


def flood(given):
    kinds = ["junk", "answers", "answers that change", "questions", "questions, 200 in each"]
    for kind, is_searching in itertools.product(kinds, [False, True]):
        link = Link()
        chat = Chat(link.hosts[0], given.program, "--announce")
        settle()
        chat.ask("nearby", "nearby")
        time.sleep(6)
        quiet = sorted(chat.ask("stats", "stats") for _ in range(100))
        memory, cpu, began = chat.memory("VmRSS"), chat.cpu(), time.monotonic()
        hostile = link.hosts[1]
        words = hostile.words(sys.executable, __file__, INSIDE, "pour", kind, str(given.flood), "10", hostile.ip)
        pouring = subprocess.Popen(words, stdout=subprocess.PIPE)
        waits, next_search = [], 0
        while pouring.poll() is None:
            if is_searching and time.monotonic() > next_search:
                chat.process.stdin.write(b'{"command":"nearby"}\n')
                next_search = time.monotonic() + 4
            waits.append(chat.ask("stats", "stats"))
            time.sleep(0.02)
        spent, cpu = time.monotonic() - began, chat.cpu() - cpu
        sent = int(pouring.stdout.read())
        lost = dropped(link.hosts[0])
        after, most = chat.memory("VmRSS"), chat.memory("VmHWM")
        what = f"{kind} while it looks for others" if is_searching else kind
        print(
            f"{sent} {what}: a command waits {statistics.median(waits) * 1000:.1f} ms (before {quiet[50] * 1000:.1f}), "
            f"at worst {max(waits) * 1000:.0f} ms of {len(waits)}; {cpu / spent * 100:.0f} % of a core, "
            f"{100 * lost / sent:.0f} % not read; {memory} KiB before, {after} after, {most} at most",
            flush=True,
        )
        chat.end()
        link.end()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"tries": (100, tries), "rest": (300, rest), "flood": (20_000, flood)}
    for part, (count, _) in parts.items():
        arguments.add_argument(f"--{part}", type=int, default=count)
    arguments.add_argument("--program", default="target/release/chinwag")
    arguments.add_argument("--nft", default="nft")
    given = arguments.parse_args([word for word in sys.argv[1:] if word != INSIDE])
    for part, (_, measure) in parts.items():
        if getattr(given, part):
            measure(given)


if __name__ == "__main__":
    if INSIDE not in sys.argv:
        flags = "-n" if os.geteuid() == 0 else "-rn"
        os.execvp("unshare", ["unshare", flags, sys.executable, *sys.argv, INSIDE])
    if sys.argv[2:3] == ["pour"]:
        kind, rate, seconds, ip = sys.argv[3:]
        pour(kind, int(rate), float(seconds), ip)
    else:
        main()

"""A server that answers as something else than a chinwag does: server.py KIND IP PORT. It says `ready` once it listens, and
ends with its stdin, so that it does not outlive the test."""

import http.server
import socket
import struct
import sys
import threading

KIND, IP, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
FAMILY = socket.AF_INET6 if ":" in IP else socket.AF_INET
kept = []


def claimed(message):
    """Where the sender says that it listens."""
    ip, _, port = message.split(" ")[0].rpartition(":")
    return ip, int(port)


def dial_back(message, text):
    with socket.create_connection(claimed(message)) as call:
        call.sendall(f"{IP}:{PORT} {KIND} {text}".encode())


def serve_session(conn, has_answer):
    """A chinwag of an earlier version, or one that lies."""
    conn.recv(1024)
    conn.sendall(f"{IP}:{PORT} {KIND} connected chinwag/1\n".encode())
    for line in conn.makefile():
        if line.startswith("!ping "):
            conn.sendall(line.replace("ping", "pong").encode())
        elif line.startswith("!reach ") and has_answer:
            conn.sendall(b"!reach ok\n")


def serve(conn):
    if KIND == "silent":
        kept.append(conn)
    elif KIND == "tls":
        conn.recv(5)
        conn.sendall(b"\x15\x03\x01\x00\x02\x02\x16")
    elif KIND == "ssh":
        conn.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        conn.recv(1024)
    elif KIND == "smtp":
        conn.sendall(b"220 mail.example \x1b[31mESMTP\r\n")
        conn.recv(1024)
    elif KIND == "reset":
        conn.recv(1024)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif KIND == "reader":
        conn.recv(1024)
    elif KIND == "caller":
        message = conn.recv(1024).decode()
        conn.close()
        if message.endswith(" connect"):
            dial_back(message, "connect_ack")
        return
    elif KIND == "netech":
        conn.recv(1024)
        conn.sendall(f"LISTENING_PORT:{PORT}|TEAM_NAME:Netech|hello".encode())
        conn.recv(1024)
    elif KIND == "older":
        serve_session(conn, False)
    elif KIND == "liar":
        serve_session(conn, True)
    elif KIND == "dying":
        conn.recv(1024)
        conn.sendall(f"{IP}:{PORT} {KIND} connected chinwag/1\n".encode())
        conn.recv(1024)
    if KIND != "silent":
        conn.close()


def listen():
    listener = socket.create_server((IP, PORT), family=FAMILY)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()


def listen_for_requests():
    server = http.server.HTTPServer((IP, PORT), http.server.SimpleHTTPRequestHandler)
    print("ready", flush=True)
    server.serve_forever()


threading.Thread(target=listen_for_requests if KIND == "http" else listen, daemon=True).start()
sys.stdin.read()

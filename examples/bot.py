#!/usr/bin/env python3
"""A bot that says everything back.

    examples/bot.py PORT [CHINWAG [FLAGS...]]

It runs chinwag, reads its events and writes it commands, both one JSON object a line. Ctrl-C ends it.
"""

import json
import signal
import subprocess
import sys


def run(port, chinwag="chinwag", *flags):
    command = [chinwag, "--json", "--name", "bot", "--port", port, *flags]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as node:
        # chinwag ends on its stdin's end, after it has said goodbye to everybody.
        signal.signal(signal.SIGINT, lambda *_: node.stdin.close())
        for line in node.stdout:
            event = json.loads(line)
            if event["event"] == "listening":
                print("listening on port", event["port"], flush=True)
            elif event["event"] == "message" and not node.stdin.closed:
                answer = {"command": "send", "to": event["address"], "text": "you said: " + event["text"]}
                print(json.dumps(answer), file=node.stdin, flush=True)
            elif event["event"] in ("error", "listen-failed", "not-sent"):
                print(event["sentence"], file=sys.stderr)
    return node.returncode


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)

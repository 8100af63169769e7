#!/usr/bin/env python3
"""A bot that echoes everything.

    examples/bot.py PORT [CHINWAG [FLAGS...]]

It runs chinwag, reads its events and writes it commands, both one JSON object a line. Each answer has an id, so
that the bot knows whom it could not answer. Ctrl-C ends it.
"""

import json
import signal
import subprocess
import sys
from contextlib import suppress


def run(port, chinwag="chinwag", *flags):
    command = [chinwag, "--json", "--name", "bot", "--port", port, *flags]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    # In a separate session, so that only we pass on Ctrl-C, once. It then says goodbye and ends.
    with suppress(BrokenPipeError), subprocess.Popen(command, **pipes, start_new_session=True) as node:
        signal.signal(signal.SIGINT, lambda *_: node.terminate())
        answered, number = {}, 0
        for line in node.stdout:
            event = json.loads(line)
            # What came of an answer has the id of that answer.
            name = answered.pop(event.get("id"), None)
            if event["event"] == "listening":
                print("listening on port", event["port"], flush=True)
            elif event["event"] == "message":
                number += 1
                answered[number] = event["name"]
                text = "you said: " + event["text"]
                answer = {"command": "send", "to": event["address"], "text": text, "id": number}
                print(json.dumps(answer), file=node.stdin, flush=True)
            elif event["event"] in ("error", "listen-failed", "not-sent"):
                print(f"answer to {name!a}: " if name else "", event["sentence"], sep="", file=sys.stderr)
    return node.returncode


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)

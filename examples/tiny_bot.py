#!/usr/bin/env python3
# Echoes everything, and says on stderr whom it could not answer:
# examples/tiny_bot.py chinwag --json --name bot --port 8080
import json, subprocess, sys

node = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
asked = {}
for line in node.stdout:
    event = json.loads(line)
    if event["event"] == "listening":
        print("listening on port", event["port"], flush=True)
    elif event["event"] == "message":
        asked[len(asked)] = event["name"]
        answer = {"id": len(asked) - 1, "command": "send", "to": event["address"], "text": "you said: " + event["text"]}
        node.stdin.write(json.dumps(answer) + "\n")
        node.stdin.flush()
    elif event.get("id") in asked and event["event"] != "sent":
        print(asked[event["id"]], event["sentence"], file=sys.stderr)

#!/usr/bin/env python3
"""The other side of a search, in the words of Python's zeroconf.

    foreign.py announce v4|v6 NAME PORT ADDRESS    tells of a service until stdin ends
    foreign.py browse v4|v6                        prints who comes and goes, one line of JSON each
"""

import ipaddress
import json
import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

KIND = "_chinwag._tcp.local."


class Finder:
    def add_service(self, zeroconf, kind, name):
        info = zeroconf.get_service_info(kind, name, 10_000)
        found = {"addresses": info.parsed_scoped_addresses(), "port": info.port} if info else {}
        tell({"came": name.removesuffix("." + KIND), **found})

    def update_service(self, zeroconf, kind, name):
        pass

    def remove_service(self, zeroconf, kind, name):
        tell({"left": name.removesuffix("." + KIND)})


def tell(event):
    print(json.dumps(event), flush=True)


def announce(zeroconf, name, port, address):
    address = ipaddress.ip_address(address).packed
    server = f"{zeroconf.__class__.__name__.lower()}-{port}.local."
    info = ServiceInfo(KIND, f"{name}.{KIND}", int(port), addresses=[address], server=server)
    zeroconf.register_service(info)
    print("ready", flush=True)


def main(mode, family, *words):
    version = {"v4": IPVersion.V4Only, "v6": IPVersion.V6Only}[family]
    with Zeroconf(ip_version=version) as zeroconf:
        if mode == "announce":
            announce(zeroconf, *words)
        else:
            ServiceBrowser(zeroconf, KIND, Finder())
            print("ready", flush=True)
        sys.stdin.read()
        zeroconf.unregister_all_services()


main(*sys.argv[1:])

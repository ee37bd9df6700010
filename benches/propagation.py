#!/usr/bin/env python3
"""Measures how long a change takes to reach the client that it concerns while others go on.

    benches/propagation.py --server BINARY --tools FOLDER [--rounds N] [--markdown FILE]

10 000 users with a profile of their own each are watched on 100 connections. Writes come at a rate,
each renames the profile of one user drawn at random, and its new name holds the time at which it was
sent, so the client that receives it knows how long that took. The server has JWTs, metrics and log,
its disk is synced for each group of writes, and changes are gathered as without settings.
`--markdown FILE` replaces the section of that page.
"""

import pathlib
import statistics
import sys
import tempfile
import time

import front
import stores

CLIENTS, CONNECTIONS, RATE, SECONDS = 10_000, 100, 2_000, 10
TITLE = "## Propagation"
# Goal of DESIGN §9 for the 99th percentile, from the sending of the write.
GOAL_MS = 3


class Server(front.Deskplane):
    """The usual one, but that changes are gathered as without settings."""

    def env(self):
        gathered = ("DESKPLANE_WATCH__QUIET_MS", "DESKPLANE_WATCH__LONGEST_MS")
        return {name: value for name, value in super().env().items() if name not in gathered}

    def fill(self, tools):
        self.start()
        folder = pathlib.Path(self.folder)
        profiles, users = folder / "profiles.yaml", folder / "linked.csv"
        profiles.write_text(
            "".join(
                f"kind: Profile\nuniqueName: bench_{at:07}\ndisplayName: Round\n---\n" for at in range(CLIENTS)
            )
        )
        users.write_text("id,profile\n" + "".join(f"user-{at:07},bench_{at:07}\n" for at in range(CLIENTS)))
        self.run("apply", "--yes", "-f", str(profiles))
        self.run("users", "import", str(users))
        self.stop()


def measure(tools, server):
    server.start()
    try:
        options = ["--streams", CLIENTS, "--conns", CONNECTIONS, "--settle", 1, "--marker"]
        options += ["--write-rate", RATE, "--seconds", SECONDS, *server.caller, *server.writer]
        options += ["--write-path", front.SERVICE + "ProfileService/UpdateProfile"]
        for field in ("1=m:1=s:profiles/bench_{i7};4=s:{now}", "2=m:1=s:display_name"):
            options += ["--write-field", field]
        path, *fields = server.watch
        found = front.harness(tools, server, "watch", path, fields, options, CLIENTS)
    finally:
        server.stop()
    steady = found["steady"]
    if found["refused"] or found["error"] or steady["failed_writes"] or steady["writes_per_s"] < 0.98 * RATE:
        sys.exit(f"{found}")
    return {
        "from the sending to the client, p50, ms": found["from_write_start"]["p50_us"] / 1e3,
        "from the sending to the client, p90, ms": found["from_write_start"]["p90_us"] / 1e3,
        "from the sending to the client, p99, ms": found["from_write_start"]["p99_us"] / 1e3,
        "answer of the write, p50, ms": steady["write_ack"]["p50_us"] / 1e3,
        "answer of the write, p99, ms": steady["write_ack"]["p99_us"] / 1e3,
        "deliveries for each write": steady["deliveries_per_write"],
        "processor time of the server for each write, us": steady["server_cpu_us_per_write"],
    }


def main():
    asked = stores.options(__doc__)
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        server = Server("deskplane", asked.server, folder)
        server.fill(asked.tools)
        for turn in range(asked.rounds + 1):
            found = measure(asked.tools, server)
            for name, value in found.items() if turn else ():
                figures.setdefault(name, []).append(value)
    lines = [
        TITLE,
        "",
        f"Written by `benches/propagation.py`: {CLIENTS} clients on {CONNECTIONS} connections, each with a profile of its own, "
        f"and {RATE} durable writes a second for {SECONDS} s, each of which concerns one of them. Medians of the rounds, and in "
        "brackets the least and the greatest. Writes, clients and server share two cores. Changes are gathered as without settings: "
        "one in a hundred of these writes meets a client that received another less than 50 ms before, and waits for that time.",
        "",
        f"{time.strftime('%d %B %Y')}; {front.machine()}.",
        "",
        "| Figure | Value | goal |",
        "|---|---|---|",
    ]
    for name, values in figures.items():
        middle = statistics.median(values)
        goal = ""
        if name.startswith("from the sending") and "p99" in name:
            goal = f"≤ {GOAL_MS}" + ("" if middle <= GOAL_MS else ", **missed**")
        lines.append(f"| {name} | {middle:.3g} ({min(values):.3g} to {max(values):.3g}) | {goal} |")
    section = "\n".join(lines) + "\n"
    print(section)
    if asked.markdown:
        stores.replace(pathlib.Path(asked.markdown), TITLE, section)


if __name__ == "__main__":
    main()

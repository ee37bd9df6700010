#!/usr/bin/env python3
"""Measures the main port against plain tonic, in turns within one run.

    benches/front.py --server BINARY --tools FOLDER [--bare BINARY] [--before BINARY] [--short] [--limit FIGURE=RATIO]

The server runs as an organisation would run it: callers show JWTs, metrics are collected, and the log
has its default level. BARE is the same transport with one fixed answer and nothing behind it
(`benches/bare.rs`). FOLDER holds `grpcbench` and `baseline` of the load harness; benches/run.sh builds them. The servers
take turns, the first round is not counted, and each figure is the median of the others, with its
ratio to that of plain tonic. A ratio above its limit fails the run. `--before` is another build of
the server, to compare with. `--json FILE` keeps all figures.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

USERS = 100_000
# Profile of docs/examples/contoso.yaml that all users get; its answer takes about 3 KB.
PROFILE = "contoso_chat_agent"
SERVICE = "/deskplane.v1."
EXAMPLE = str(pathlib.Path(__file__).parent.parent / "docs/examples/contoso.yaml")


def free_port():
    """A port below those that connections to servers have on their own end, of which there are many."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(port, process):
    while True:
        if process.poll() is not None:
            sys.exit(f"a server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)


class Server:
    """A server under load: how it is started, and what the harness asks of it."""

    # What a watch needs beside its request.
    watch_options = []

    def __init__(self, name, binary, folder):
        self.name, self.binary, self.folder = name, binary, folder
        self.port = free_port()

    def start(self):
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.env()
        )
        wait_for(self.port, self.process)

    def env(self):
        return dict(os.environ)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Deskplane(Server):
    def __init__(self, name, binary, folder):
        super().__init__(name, binary, folder)
        self.metrics_port = free_port()
        key = f"{folder}/{name}.pem"
        tokens = {grant: self.token(key, grant) for grant in ("admin", "service")}
        # A service identity, as the budgets have it: the reads of an administrator are audited.
        self.caller = ["--meta", f"authorization=Bearer {tokens['service']}"]
        self.writer = ["--write-meta", f"authorization=Bearer {tokens['admin']}"]
        self.admin = tokens["admin"]
        self.config = f"{folder}/{name}.toml"
        pathlib.Path(self.config).write_text(
            "[[auth.issuers]]\n"
            'issuer = "deskplane-dev"\naudiences = "deskplane"\n'
            f'keys = "{key}.jwks.json"\n'
        )

    def token(self, key, grant):
        command = [self.binary, "token", "dev", "--key", key, "--for", f"bench-{grant}"]
        command += ["--grant", grant, "--minutes", "600"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def command(self):
        data = f"{self.folder}/{self.name}"
        return [self.binary, "serve", "--config", self.config, "--data-dir", data]

    def env(self):
        return {
            **os.environ,
            "DESKPLANE_LISTEN": f"127.0.0.1:{self.port}",
            "DESKPLANE_METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            # The harness counts each delivery, so none may be gathered.
            "DESKPLANE_WATCH__QUIET_MS": "0",
            "DESKPLANE_WATCH__LONGEST_MS": "0",
            "DESKPLANE_LIMITS__STREAMS_PER_CONNECTION": "100000",
            # As without settings, streams are the smaller of the two limits.
            "DESKPLANE_LIMITS__CALLS_PER_CONNECTION": "100000",
        }

    def fill(self, tools):
        """All users, with one profile that is nobody's built-in."""
        self.start()
        rows = pathlib.Path(self.folder) / "users.csv"
        rows.write_text("id\n" + "".join(f"user-{at:07}\n" for at in range(USERS)))
        for command in (["users", "import", str(rows)], ["apply", "--yes", "-f", EXAMPLE]):
            self.run(*command)
        one = ["--conns", "1", "--streams", "1", "--warmup", "0.02", "--seconds", "0.02"]
        path, fields = SERVICE + "ProfileService/SetDefault", [f"1=s:profiles/{PROFILE}", "3=u:1", "4=u:1"]
        # One call, and perhaps some more, which then change nothing.
        harness(tools, self, "unary", path, fields, [*one, "--meta", f"authorization=Bearer {self.admin}"])
        # A byte that says how the message is encoded, and four with its length.
        self.answer_bytes = unary(tools, self, one)["bytes_per_reply"] - 5
        self.stop()

    def run(self, *command):
        server = ["--server", f"http://127.0.0.1:{self.port}"]
        env = {**os.environ, "DESKPLANE_TOKEN": self.admin}
        subprocess.run([self.binary, *command, *server], check=True, capture_output=True, env=env)

    unary = [SERVICE + "AgentService/ResolveProfile", "1=s:user-{i7}"]
    watch = [SERVICE + "AgentService/WatchProfile", "1=s:user-{i7}"]
    # Every watcher is concerned.
    write = [
        SERVICE + "ProfileService/UpdateProfile",
        f"1=m:1=s:profiles/{PROFILE};4=s:Round {{k}}",
        "2=m:1=s:display_name",
    ]


class Plain(Server):
    """Plain tonic with prost, on an executor that steals work."""

    def command(self):
        address = f"127.0.0.1:{self.port}"
        return [self.binary, "--mode", "tonic-prost", "--addr", address, "--settings", "48"]

    unary = ["/bench.Profiles/Resolve", "1=s:user-{i7}"]
    caller = writer = []
    watch = ["/bench.Profiles/Watch", "2=s:user-{i7}"]
    write = ["/bench.Profiles/Publish", "3=s:*"]


class Bare(Server):
    """The transport of this server, with an answer of the same size that is always the same."""

    def __init__(self, name, binary, folder, beside):
        super().__init__(name, binary, folder)
        self.beside = beside

    def command(self):
        return [self.binary, f"127.0.0.1:{self.port}", str(self.beside.answer_bytes)]

    @property
    def caller(self):
        return self.beside.caller

    unary = Deskplane.unary
    watch = None


def harness(tools, server, kind, path, fields, options, users=USERS):
    command = [f"{tools}/grpcbench", kind, "--addr", f"127.0.0.1:{server.port}", "--path", path]
    command += ["--users", str(users), "--pid", str(server.process.pid), *map(str, options)]
    for field in fields:
        command += ["--field", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def unary(tools, server, options, users=USERS):
    path, *fields = server.unary
    options = [*options, *server.caller, "--expect-min", 2000]
    found = harness(tools, server, "unary", path, fields, options, users)
    if found["unexpected"] or found["failed"] or not found["ok"]:
        sys.exit(f"{server.name}: {found['first_problem']}")
    return found


def resolve(conns, streams, seconds):
    """Processor time of the server for each ResolveProfile, and calls a second."""

    def measure(tools, server):
        found = unary(tools, server, ["--conns", conns, "--streams", streams, "--seconds", seconds])
        return {
            f"resolve {conns}x{streams}: CPU a call, us": found["server_cpu_us_per_call"],
            f"resolve {conns}x{streams}: calls a second": found["rps"],
        }

    return measure


def open_loop(rate, conns, seconds):
    """Time to answer when calls come at a rate, whatever the server does."""

    def measure(tools, server):
        options = ["--conns", conns, "--streams", 1, "--rate", rate, "--seconds", seconds]
        found = unary(tools, server, options)
        return {f"resolve at {rate} calls a second: p99, ms": found["latency"]["p99_us"] / 1e3}

    return measure


def fan_out(streams, conns, rounds):
    """One change to a number of watchers; what a watcher costs while nothing happens."""

    def measure(tools, server):
        if server.watch is None:
            return {}
        path, *fields = server.watch
        write, *written = server.write
        options = ["--streams", streams, "--conns", conns, "--rounds", rounds, "--settle", 1]
        options += ["--write-path", write, *server.caller, *server.writer, *server.watch_options]
        for field in written:
            options += ["--write-field", field]
        found = harness(tools, server, "watch", path, fields, options)
        median = found["median"]
        if found["refused"] or found["error"] or median["delivered"] != streams or median["extra"]:
            sys.exit(f"{server.name}: {found}")
        name = f"{streams} watchers on {conns or streams} connections"
        return {
            f"{name}: one change reaches all, ms": median["all_ms"],
            f"{name}: CPU a delivery, us": median["server_cpu_us_per_delivery"],
            f"{name}: answer of the write, ms": median["ack_ms"],
            f"{name}: memory of an idle one, B": found["server_bytes_per_stream"],
            f"{name}: all have their first message, s": found["open_seconds"],
        }

    return measure


# From there on the page is written by hand.
BELOW = "\n## Where the time goes\n"
# Goals, as ratios to plain tonic.
GOALS = {
    "resolve 8x32: CPU a call, us": 0.30,
    "resolve 64x1: CPU a call, us": 0.55,
    "100000 watchers on 1000 connections: one change reaches all, ms": 0.45,
    "100000 watchers on 1000 connections: memory of an idle one, B": 0.35,
    "18000 watchers on 18000 connections: memory of an idle one, B": 0.6,
}
# Most that identifying the caller, the look-up and the figures may cost, as a ratio to the transport alone.
SERVICE_GOAL = 1.15
SHORT = [resolve(8, 32, 2), fan_out(10_000, 100, 5)]
LONG = [
    resolve(8, 32, 4),
    resolve(64, 1, 4),
    open_loop(10_000, 64, 5),
    fan_out(10_000, 100, 7),
    fan_out(100_000, 1_000, 5),
    fan_out(18_000, 0, 5),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--before")
    parser.add_argument("--bare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--limit", action="append", default=[], metavar="FIGURE=RATIO")
    parser.add_argument("--json", help="a file for all values")
    parser.add_argument("--markdown", help="a file for the table")
    asked = parser.parse_args()
    limits = dict(limit.rsplit("=", 1) for limit in asked.limit)
    with tempfile.TemporaryDirectory() as folder:
        servers = [Deskplane("deskplane", asked.server, folder)]
        if asked.before:
            servers.append(Deskplane("before", asked.before, folder))
        for server in servers:
            server.fill(asked.tools)
        servers.append(Plain("plain", f"{asked.tools}/baseline", folder))
        if asked.bare:
            servers.append(Bare("bare", asked.bare, folder, servers[0]))
        figures = rounds(asked, servers)
    if asked.json:
        pathlib.Path(asked.json).write_text(json.dumps(figures, indent=1) + "\n")
    if asked.markdown:
        write_page(pathlib.Path(asked.markdown), figures)
    unknown = set(limits) - set(figures)
    exceeded = show(figures, limits)
    if unknown or exceeded:
        sys.exit(f"unknown: {sorted(unknown)}; above their limits: {exceeded}")


def rounds(asked, servers):
    """All values of each figure and server. Each measurement has a process of its own."""
    figures = {}
    for turn in range(asked.rounds + 1):
        for measure in SHORT if asked.short else LONG:
            for server in servers:
                server.start()
                try:
                    found = measure(asked.tools, server)
                finally:
                    server.stop()
                for name, value in found.items() if turn else ():
                    figures.setdefault(name, {}).setdefault(server.name, []).append(value)
    return figures


def write_page(path, figures):
    """Writes the table, and keeps what somebody wrote below it."""
    known = path.read_text() if path.exists() else ""
    path.write_text(page(figures) + known[known.index(BELOW):] if BELOW in known else page(figures))


def machine():
    """Processor, cores and kernel."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def page(figures):
    """The figures as a page of the documentation."""
    lines = [
        "# Performance",
        "",
        "Written by `benches/front.py`, which `benches/run.sh` builds for and calls: the packaged server (profile `dist`, feature `jemalloc`) and plain "
        "tonic with prost (release, mimalloc) in turns within one run, client and server on one "
        "machine, cleartext loopback, answers of 3 KB, callers with a JWT of a service identity, metrics collected, "
        "the log at its default level. Medians, and in brackets the least and the "
        "greatest of all rounds. Processor time is the server's own. What is above its goal is missed.",
        "",
        f"{time.strftime('%d %B %Y')}; {machine()}.",
        "",
        "| Figure | Deskplane | plain tonic | ratio | goal |",
        "|---|---|---|---|---|",
    ]
    for name, values in figures.items():
        ours, base = values["deskplane"], values["plain"]
        goal = GOALS.get(name)
        ratio = statistics.median(ours) / statistics.median(base)
        met = "" if goal is None else f"≤ {goal:.2f} ×" + ("" if ratio <= goal else ", **missed**")
        cells = [f"{statistics.median(v):.4g} ({min(v):.4g} to {max(v):.4g})" for v in (ours, base)]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {ratio:.2f} × | {met} |")
    alone = {name: values for name, values in figures.items() if "bare" in values}
    if alone:
        lines += [
            "",
            "The same transport with one fixed answer and nothing behind it (`benches/bare.rs`), in the same turns:",
            "",
            "| Figure | Deskplane | transport alone | ratio | goal |",
            "|---|---|---|---|---|",
        ]
    for name, values in alone.items():
        ours, bare = (statistics.median(values[server]) for server in ("deskplane", "bare"))
        ratio = ours / bare
        met = ""
        if "CPU" in name:
            met = f"≤ {SERVICE_GOAL:.2f} ×" + ("" if ratio <= SERVICE_GOAL else ", **missed**")
        lines.append(f"| {name} | {ours:.4g} | {bare:.4g} | {ratio:.2f} × | {met} |")
    return "\n".join(lines) + "\n"


def show(figures, limits):
    """Prints a line for each figure; answers those whose ratio is above its limit."""
    exceeded = []
    for name, values in figures.items():
        medians = {server: statistics.median(found) for server, found in values.items()}
        ratio = medians["deskplane"] / medians["plain"] if medians["plain"] else float("inf")
        columns = "  ".join(f"{server} {value:.4g}" for server, value in medians.items())
        print(f"{name:70} {ratio:6.2f} x   {columns}", flush=True)
        if name in limits and ratio > float(limits[name]):
            exceeded.append(name)
    return exceeded


if __name__ == "__main__":
    main()

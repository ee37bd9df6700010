#!/usr/bin/env python3
"""Measures ResolveProfile beside general stores that answer the same question.

    benches/stores.py --server BINARY --tools FOLDER [--rounds N] [--markdown FILE]

* etcd: a serializable Range of one key whose value has as many bytes as the answer, over gRPC with 8
  connections and 32 calls on each; and a put of one key that 10 000 streams on 100 connections watch,
  beside a change of the profile that as many watchers have.
* PostgreSQL: the steps of SPEC §6.1 as one prepared statement, and the read of a table that holds the
  winner of each user, by `pgbench` with 8 connections and a call on each. Everything is in its cache.

The servers take turns, the first round is not counted, and each figure is the median of the others:
processor time of the server for each call. A store that is not installed is left out, and that is said.
`--markdown FILE` replaces the section of that page. The load harness and the start of the server are
those of `benches/front.py`.
"""

import argparse
import base64
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import front

# Keys of etcd. Fewer than there are users, which is in its favour.
KEYS = 1_000
ROLES, PROFILES = 200, 50
SECONDS = 4
TITLE = "## Beside general stores"
TICKS = os.sysconf("SC_CLK_TCK")


class Etcd(front.Server):
    """One member, with its files in memory-backed storage or not: a serializable read needs no disk."""

    unary = ["/etcdserverpb.KV/Range", "1=s:user-{i7}", "7=u:1"]
    watch = ["/etcdserverpb.Watch/Watch", "1=m:1=s:watched"]
    # A stream is open in both directions, and says first that it watches.
    watch_options = ["--bidi", "--first", 1]
    caller = writer = []

    def __init__(self, folder, answer_bytes):
        super().__init__("etcd", shutil.which("etcd"), folder)
        self.peer, self.answer_bytes = front.free_port(), answer_bytes
        self.write = ["/etcdserverpb.KV/Put", "1=s:watched", "2=s:" + "x" * answer_bytes + "{k}"]

    def command(self):
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.port, self.peer))
        return [
            self.binary, "--data-dir", f"{self.folder}/etcd", "--log-level", "error",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}",
        ]

    def fill(self):
        self.start()
        value = base64.b64encode(os.urandom(self.answer_bytes)).decode()
        for at in range(KEYS):
            key = base64.b64encode(f"user-{at:07}".encode()).decode()
            body = json.dumps({"key": key, "value": value}).encode()
            put = urllib.request.Request(f"http://127.0.0.1:{self.port}/v3/kv/put", body)
            for _ in range(100):
                try:
                    urllib.request.urlopen(put).read()
                    break
                except OSError:
                    # It has no leader yet.
                    time.sleep(0.1)
            else:
                sys.exit("etcd takes no key")
        self.stop()


class Postgres:
    """A cluster of its own, as a user that is not root."""

    name = "PostgreSQL"

    def __init__(self, folder, answer_bytes):
        self.folder = pathlib.Path(folder) / "postgres"
        self.port, self.answer_bytes = front.free_port(), answer_bytes
        found = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        known = [shutil.which("initdb"), *pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")]
        if found.returncode == 0:
            known.append(f"{found.stdout.strip()}/initdb")
        known = [path for path in known if path and os.path.exists(path)]
        self.bin = pathlib.Path(known[0]).parent if known else None
        self.user = {"user": "postgres"} if os.geteuid() == 0 else {}
        # Scripts and files are read by that user.
        self.folder.mkdir()
        os.chmod(folder, 0o755)
        if self.user:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def run(self, *command):
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd=self.folder, **self.user
        )
        if done.returncode:
            sys.exit(f"{command[0]}: {done.stderr}")
        return done

    def fill(self):
        self.run(self.bin / "initdb", "-D", self.folder / "data", "-A", "trust", "-U", "bench")
        self.start()
        content = f"decode(repeat('5a', {self.answer_bytes}), 'hex')"
        self.run(
            "psql", "-h", self.folder, "-p", str(self.port), "-U", "bench", "-d", "postgres", "-v",
            "ON_ERROR_STOP=1", "-c", f"""
            CREATE TABLE profiles (name text PRIMARY KEY, rank int, active bool, default_set bigint, content bytea);
            ALTER TABLE profiles ALTER COLUMN content SET STORAGE PLAIN;
            INSERT INTO profiles SELECT 'profile' || n, n, n % 10 <> 0, CASE WHEN n < 3 THEN n END, {content}
                FROM generate_series(1, {PROFILES}) n;
            CREATE TABLE users (id text PRIMARY KEY, direct text);
            INSERT INTO users SELECT 'user-' || lpad(n::text, 7, '0'),
                CASE WHEN n % 10 = 0 THEN 'profile' || 1 + n % {PROFILES} END FROM generate_series(0, {front.USERS - 1}) n;
            CREATE TABLE user_roles (user_id text, role text, PRIMARY KEY (user_id, role));
            INSERT INTO user_roles SELECT id, 'role' || (hashtext(id || k) & 65535) % {ROLES}
                FROM users, generate_series(1, 3) k ON CONFLICT DO NOTHING;
            CREATE TABLE role_profiles (role text, profile text, PRIMARY KEY (role, profile));
            INSERT INTO role_profiles SELECT 'role' || n, 'profile' || 1 + (n + k) % {PROFILES}
                FROM generate_series(0, {ROLES - 1}) n, generate_series(1, 2) k;
            CREATE TABLE winners (user_id text PRIMARY KEY, profile text);
            INSERT INTO winners SELECT id, 'profile' || 1 + (hashtext(id) & 7) FROM users;
            """,
        )
        self.run("psql", "-h", self.folder, "-p", str(self.port), "-U", "bench", "-d", "postgres", "-c", "VACUUM ANALYZE")
        pick = f"\\set n random(0, {front.USERS - 1})\n"
        given = "'user-' || lpad((:n)::text, 7, '0')"
        scripts = {
            "resolve": f"""SELECT p.name, p.content FROM (
                SELECT u.direct AS name, 1 AS step, 0::bigint AS place FROM users u WHERE u.id = {given}
                UNION ALL
                SELECT rp.profile, 2, pr.rank FROM user_roles ur JOIN role_profiles rp ON rp.role = ur.role
                    JOIN profiles pr ON pr.name = rp.profile WHERE ur.user_id = {given}
                UNION ALL
                SELECT d.name, 3, d.default_set FROM profiles d WHERE d.default_set IS NOT NULL
                ) c JOIN profiles p ON p.name = c.name AND p.active
                ORDER BY c.step, c.place, c.name LIMIT 1;\n""",
            "winner": f"""SELECT p.name, p.content FROM winners w JOIN profiles p ON p.name = w.profile
                WHERE w.user_id = {given};\n""",
        }
        for name, text in scripts.items():
            (self.folder / f"{name}.sql").write_text(pick + " ".join(text.split()) + "\n")
        self.stop()

    def start(self):
        command = [self.bin / "postgres", "-D", self.folder / "data", "-p", self.port, "-k", self.folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=256MB"]
        self.process = subprocess.Popen(
            [str(part) for part in command], cwd=self.folder, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, **self.user,
        )
        front.wait_for(self.port, self.process)
        while subprocess.run(["pg_isready", "-h", self.folder, "-p", str(self.port)], capture_output=True).returncode:
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def processor_seconds(self):
        """Of the server, with the children that have ended: those of a run have, once it is over."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS

    def measure(self, script):
        """Microseconds of the server's processor time for each transaction."""
        address = ["-h", "127.0.0.1", "-p", self.port, "-U", "bench", "postgres"]
        command = ["pgbench", "-n", "-M", "prepared", "-c", 8, "-j", 2, "-f", self.folder / f"{script}.sql"]
        self.run(*command, "-T", 1, *address)
        time.sleep(0.2)
        before = self.processor_seconds()
        done = self.run(*command, "-T", SECONDS, *address).stdout
        # The backends end a moment after their client.
        time.sleep(0.3)
        count = re.search(r"actually processed: (\d+)", done)
        failed = re.search(r"failed transactions: ([1-9]\d*)", done)
        if not count or failed:
            sys.exit(f"PostgreSQL: {done}")
        return (self.processor_seconds() - before) / int(count[1]) * 1e6


def call(tools, server, conns, streams, users=front.USERS):
    options = ["--conns", conns, "--streams", streams, "--seconds", SECONDS]
    return front.unary(tools, server, options, users)["server_cpu_us_per_call"]


def delivery(tools, server):
    """Microseconds of processor time for each delivery of one change to 10 000 watchers."""
    found = front.fan_out(10_000, 100, 5)(tools, server)
    return next(value for name, value in found.items() if "CPU a delivery" in name)


# What of it is measured beside which load of ours, and least goal of DESIGN §9.
WATCH = "a change to 10 000 watchers, a delivery"
LINES = {
    "etcd, serializable Range": ("8 x 32", 10),
    "etcd, watch": (WATCH, 3.2),
    "PostgreSQL, the steps in SQL": ("8 x 1", 20),
    "PostgreSQL, a table of winners": ("8 x 1", 2),
}


def options(description):
    """The options of a script that writes one section."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--tools", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", help="the page with the section of these figures")
    return parser.parse_args()


def main():
    asked = options(__doc__)
    figures, missing = {}, []
    with tempfile.TemporaryDirectory() as folder:
        server = front.Deskplane("deskplane", asked.server, folder)
        server.fill(asked.tools)
        etcd = Etcd(folder, server.answer_bytes) if shutil.which("etcd") else missing.append("etcd")
        postgres = Postgres(folder, server.answer_bytes) if shutil.which("pgbench") else None
        if not postgres or not postgres.bin:
            postgres = missing.append("PostgreSQL")
        for store in filter(None, (etcd, postgres)):
            store.fill()

        def during(server, measure):
            server.start()
            try:
                return measure()
            finally:
                server.stop()

        for turn in range(asked.rounds + 1):
            found = {}
            for load, (conns, streams) in {"8 x 32": (8, 32), "8 x 1": (8, 1)}.items():
                found[load] = during(server, lambda: call(asked.tools, server, conns, streams))
            found[WATCH] = during(server, lambda: delivery(asked.tools, server))
            if etcd:
                found["etcd, watch"] = during(etcd, lambda: delivery(asked.tools, etcd))
                found["etcd, serializable Range"] = during(etcd, lambda: call(asked.tools, etcd, 8, 32, KEYS))
            if postgres:
                for name, script in (("the steps in SQL", "resolve"), ("a table of winners", "winner")):
                    found[f"PostgreSQL, {name}"] = during(postgres, lambda: postgres.measure(script))
            for name, value in found.items() if turn else ():
                figures.setdefault(name, []).append(value)
    for name in missing:
        print(f"SKIPPED: {name} is not installed; nothing was measured beside it", file=sys.stderr)
    section = show(figures, missing)
    print(section)
    if asked.markdown:
        replace(pathlib.Path(asked.markdown), TITLE, section)


def show(figures, missing):
    lines = [
        TITLE,
        "",
        "Written by `benches/stores.py`: processor time of the server for each call or delivery, in turns within one run, medians of "
        f"the rounds; {f'{front.USERS:,}'.replace(',', ' ')} users, answers of 3 KB, everything in memory. Deskplane has JWT, metrics and log; the "
        "stores know no callers.",
        "",
        f"{time.strftime('%d %B %Y')}; {front.machine()}.",
        "",
        "| Beside | load | Deskplane, us | the store, us | less | goal |",
        "|---|---|---|---|---|---|",
    ]
    for name, (load, goal) in LINES.items():
        if name not in figures:
            continue
        ours, theirs = (statistics.median(figures[key]) for key in (load, name))
        met = f"≥ {goal} ×" + ("" if theirs / ours >= goal else ", **missed**")
        lines.append(f"| {name} | {load} | {ours:.4g} | {theirs:.4g} | {theirs / ours:.1f} × | {met} |")
    lines += [f"\n{name} was not installed." for name in missing]
    return "\n".join(lines) + "\n"


def replace(page, title, section):
    """Puts a section of a page in the place of the one of that title, or behind all others."""
    text = page.read_text()
    known = re.compile(re.escape(title) + r"\n.*?(?=\n## |\Z)", re.S)
    if known.search(text):
        text = known.sub(lambda _: section, text)
    else:
        text = text.rstrip("\n") + "\n\n" + section
    page.write_text(text)


if __name__ == "__main__":
    main()

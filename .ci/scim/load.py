"""Syncs a large directory into a durable server over SCIM, kills it, and finds all of it again.

Usage: load.py PROGRAM FOLDER
"""

import http.client
import json
import multiprocessing
import pathlib
import re
import subprocess
import sys
import threading
import time

USERS, GROUPS, MEMBERS = 100_000, 2_000, 50
PROCESSES, CONNECTIONS = 2, 8
CORE = "urn:ietf:params:scim:schemas:core:2.0"

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def serve():
    """Starts the server; answers it with its address."""
    (folder / "deskplane.toml").write_text("[scim]\nenabled = true\n[store]\nmin_free_mib = 0\n")
    log = (folder / "server.log").open("w+")
    command = [program, "serve", "--config", folder / "deskplane.toml", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen([*command, "--data-dir", folder / "data"], stderr=log)
    while server.poll() is None:
        text = re.sub(r"\x1b\[[0-9;]*m", "", (folder / "server.log").read_text())
        if found := re.search(r"serving.*address=(127\.0\.0\.1:\d+)", text):
            return server, found[1]
        time.sleep(0.05)
    sys.exit(f"the server ended: {(folder / 'server.log').read_text()}")


def ask(connection, method, path, document=None):
    body = json.dumps(document) if document else None
    connection.request(
        method, f"/scim/v2/{path}", body, {"content-type": "application/scim+json"}
    )
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
    return json.loads(text)


def user(at):
    return {
        "schemas": [f"{CORE}:User"], "userName": f"user-{at}@contoso.example",
        "externalId": f"guid-{at:08}", "displayName": f"User {at}", "active": True,
    }


def group(at, ids):
    members = [{"value": ids[(at * MEMBERS + n) % USERS]} for n in range(MEMBERS)]
    return {
        "schemas": [f"{CORE}:Group"], "displayName": f"Group {at}", "externalId": f"group-{at}",
        "members": members,
    }


def share(number, address, jobs, answers):
    """Sends a share of some requests over several connections; puts the ids by their numbers."""
    found = {}

    def send(own):
        connection = http.client.HTTPConnection(address)
        for at, method, path, document in own:
            found[at] = ask(connection, method, path, document)["id"]

    threads = [
        threading.Thread(target=send, args=(jobs[n::CONNECTIONS],)) for n in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((number, found))


def send(what, address, jobs):
    """Sends requests; answers the ids in their order."""
    begun, answers = time.monotonic(), multiprocessing.Queue()
    shares = [
        multiprocessing.Process(target=share, args=(n, address, jobs[n::PROCESSES], answers))
        for n in range(PROCESSES)
    ]
    for process in shares:
        process.start()
    found = {}
    for _ in shares:
        found.update(answers.get(timeout=300)[1])
    for process in shares:
        process.join()
    if len(found) != len(jobs):
        sys.exit(f"{what}: {len(found)} of {len(jobs)} were answered")
    taken = time.monotonic() - begun
    print(f"{what}: {len(jobs)} requests in {taken:.1f} s, {len(jobs) / taken:.0f} a second")
    return [found[at] for at in sorted(found)]


def counts(address):
    connection = http.client.HTTPConnection(address)
    lists = [ask(connection, "GET", f"{kind}?count=1") for kind in ("Users", "Groups")]
    return [found["totalResults"] for found in lists]


def revision(address):
    said = subprocess.run(
        [program, "--server", f"http://{address}", "whoami", "-o", "json"],
        capture_output=True, text=True, check=True,
    )
    return json.loads(said.stdout)["revision"]


def main():
    server, address = serve()
    try:
        ids = send("users", address, [(at, "POST", "Users", user(at)) for at in range(USERS)])
        groups = [group(at, ids) for at in range(GROUPS)]
        jobs = [(at, "POST", "Groups", document) for at, document in enumerate(groups)]
        group_ids = send("groups", address, jobs)
        before = revision(address)
        again = [
            (at, "PUT", f"Groups/{group_ids[at]}", document) for at, document in enumerate(groups)
        ]
        send("groups again", address, again)
        if (after := revision(address)) != before:
            sys.exit(f"a second sync took revisions {before} to {after}")
    finally:
        server.kill()
        server.wait()
    begun = time.monotonic()
    server, address = serve()
    try:
        found = counts(address)
        print(f"after a kill: {found[0]} users and {found[1]} groups, served in {time.monotonic() - begun:.1f} s")
        if found != [USERS, GROUPS] or revision(address) != before:
            sys.exit("what was answered is not there")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()

"""Counts what the suites found, and fails on what is not an exception with a reason."""

import json
import pathlib
import re
import sys

# What each suite may report, by a part of its text, and why.
EXCEPTIONS = {
    "unexpected value for 'emails'": "one address is kept, as the primary one",
    "was made of userName": "the id cannot change",
    "was made of externalId": "the id cannot change",
    "did not remove attribute 'displayName'": "a user without one is shown as the userName",
    "did not remove attribute 'active'": "its removal does not say whether the user may call",
    "PATCH /Groups/{id} add member": "the member that the probe adds is no user",
}


def tester(text):
    """Outcome and title of each check of scim2-tester, with the reason below it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    found = []
    for line in text.splitlines():
        status, _, title = line.partition(" ")
        if status.isupper() and status.isalpha():
            found.append([status, title])
        elif found and line.startswith("  "):
            found[-1][1] += " | " + line.strip()
    return found


def sanity(text):
    """Outcome and name of each probe of scim-sanity."""
    results = json.loads(text)["results"]
    return [[r["status"].upper(), f"{r['name']} | {r.get('message', '')}"] for r in results]


def main(out):
    folder = pathlib.Path(out)
    failed = 0
    for name, results, good in [
        ("scim2-tester", tester((folder / "scim2-tester.txt").read_text()), {"SUCCESS", "COMPLIANT", "ACCEPTABLE"}),
        ("scim-sanity", sanity((folder / "scim-sanity.json").read_text()), {"PASS"}),
    ]:
        counts = {}
        for status, title in results:
            why = next((why for part, why in EXCEPTIONS.items() if part in title), None)
            if status not in good | {"SKIP", "SKIPPED"}:
                if why is None:
                    failed += 1
                    print(f"FAILED {name}: {title}")
                else:
                    status = "EXCEPTED"
                    print(f"excepted {name}: {title} ({why})")
            counts[status] = counts.get(status, 0) + 1
        if not results:
            failed += 1
            print(f"FAILED {name}: it reported nothing")
        print(f"{name}: " + ", ".join(f"{n} {s.lower()}" for s, n in sorted(counts.items())))
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))

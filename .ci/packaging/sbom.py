"""Checks a bill of materials against the lock file. Usage: sbom.py FILE LOCK"""

import json
import re
import sys

with open(sys.argv[1]) as file:
    bill = json.load(file)
with open(sys.argv[2]) as file:
    locked = set(re.findall(r'name = "(.+)"\nversion = "(.+)"', file.read()))
assert bill["bomFormat"] == "CycloneDX", bill["bomFormat"]
assert bill["metadata"]["component"]["name"] == "deskplane"
listed = {(part["name"], part["version"]) for part in bill["components"]}
assert len(listed) > 200, len(listed)
assert not listed - locked, listed - locked
without = [part["name"] for part in bill["components"] if not part.get("licenses")]
assert not without, f"without a licence: {without}"
print(f"bill of materials: {len(listed)} crates, each of the lock file and with its licence")

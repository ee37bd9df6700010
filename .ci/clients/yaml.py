"""What the program shows as YAML, passed through a reader of YAML 1.1, changes nothing when applied.

Usage: yaml.py PROGRAM ADDRESS FOLDER
"""

import json
import pathlib
import subprocess
import sys

# This script has the name of the module: its own folder must not come first.
sys.path = [entry for entry in sys.path if pathlib.Path(entry or ".").resolve() != pathlib.Path(__file__).parent]

import yaml  # noqa: E402

program, address, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
KINDS = ["settings", "role", "tab", "tool", "provider", "session-template", "profile", "user", "team"]
ODD = ["No", "y", "on", "1e3", "0x10", "0o17", "089", "1:30", "~", "null", "2026-01-01", "007", ".5", "=", "<<"]


def deskplane(*args):
    done = subprocess.run(
        [program, "--server", f"http://{address}", *args], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def apply(text):
    file = folder / "passed-on.yaml"
    file.write_text(text, encoding="utf-8")
    return json.loads(deskplane("apply", "-f", str(file), "-o", "json"))


users = [{"kind": "User", "id": f"yaml.{at}", "displayName": name} for at, name in enumerate(ODD)]
for dump in (yaml.safe_dump_all, lambda all: "\n---\n".join(json.dumps(one) for one in all)):
    apply(dump(users))

checked = 0
for kind in KINDS:
    own = [] if kind in ("settings", "user", "team") else ["--filter", 'origin = "CUSTOM"']
    show = ["get", kind] if kind == "settings" else ["list", kind, "--all", *own]
    before = deskplane(*show, "-o", "yaml")
    documents = list(yaml.safe_load_all(before))
    assert documents == [
        one
        for shown in [json.loads(deskplane(*show, "-o", "json"))]
        for one in (shown if isinstance(shown, list) else [shown])
    ], f"{kind}: YAML 1.1 reads something else than JSON says"
    for report in apply(yaml.safe_dump_all(documents)) if documents else []:
        assert report["outcome"] == "unchanged", report
        checked += 1
    assert deskplane(*show, "-o", "yaml") == before, kind
names = {user["displayName"] for user in yaml.safe_load_all(deskplane("list", "users", "--all", "-o", "yaml"))}
assert set(ODD) <= names, names
print(f"PyYAML {yaml.__version__}: {checked} resources unchanged")

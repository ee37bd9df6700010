"""Compares the system calls of a trace with what a unit allows: calls, address families, memory.

Usage: syscalls.py TRACE UNIT. TRACE is by `strace -f`; the sets are those of systemd-analyze.
"""

import re
import subprocess
import sys


def sets():
    """The members of every set, by its name."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], check=True, capture_output=True, text=True
    ).stdout
    found, members = {}, None
    for line in listed.splitlines():
        if line.startswith("@"):
            members = found.setdefault(line.strip(), set())
        elif line.startswith("    ") and members is not None and not line.strip().startswith("#"):
            members.add(line.strip())
        elif not line.strip():
            members = None
    return found


def expand(names, known):
    for name in names:
        if name.startswith("@"):
            yield from expand(known[name], known)
        else:
            yield name


trace, unit = (open(path).read() for path in sys.argv[1:])
known, allowed = sets(), set()
for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
    names = set(expand(line.lstrip("~").split(), known))
    allowed = allowed - names if line.startswith("~") else allowed | names
made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", trace, re.M))
assert len(allowed) > 200 and len(made) > 40, (len(allowed), len(made))
denied = made - allowed
assert not denied, f"the unit denies {sorted(denied)}"
families = set(re.search(r"^RestrictAddressFamilies=(.*)$", unit, re.M)[1].split())
sockets = set(re.findall(r"socket\((AF_[A-Z0-9]+)", trace))
assert sockets and sockets <= families, f"the unit denies {sorted(sockets - families)}"
executable = re.findall(r"^.*(?:PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC).*$", trace, re.M)
assert not executable, f"MemoryDenyWriteExecute denies {executable[0]}"
print(f"strace: {len(made)} system calls, all of them allowed by the unit")

"""Prints the blocks of a page that are marked `sh`, as one script.

Usage: blocks.py PAGE. Before each block the script says under which heading it stands.
"""

import pathlib
import re
import shlex
import sys

page = pathlib.Path(sys.argv[1]).read_text()
heading = ""
for part in re.finditer(r"^## ([^\n]*)$|^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
    if part[1]:
        heading = part[1]
    else:
        print(f"echo {shlex.quote('== ' + heading)}")
        print(part[2])

"""Makes the table and the plot of benches/growth.sh from the figures of each number of users.

    growth.py FOLDER PAGE PLOT

FOLDER holds a file for each number of users, with a figure on each line: name, unit, value. A figure's
exponent is the slope of its logarithm over that of the number of users between the two largest
numbers: 0 does not grow, 1 grows as the users do.
"""

import datetime
import math
import os
import pathlib
import platform
import re
import sys

HEADING = "## How costs grow"


def read(folder):
    """Figures by name: unit, and value by number of users."""
    figures = {}
    for path in sorted(pathlib.Path(folder).iterdir(), key=lambda path: int(path.name)):
        for line in path.read_text().splitlines():
            name, unit, value = line.split("\t")
            figures.setdefault(name, (unit, {}))[1][int(path.name)] = float(value)
    if not figures:
        sys.exit(f"error: no figure in {folder}")
    return figures


def exponent(values):
    """The slope between the two largest numbers of users."""
    if len(values) < 2:
        return None
    (fewer, before), (more, after) = sorted(values.items())[-2:]
    if min(before, after) <= 0:
        return None
    return math.log(after / before) / math.log(more / fewer)


def short(value):
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def processor():
    found = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1).strip() if found else platform.machine()


def table(figures):
    sizes = sorted({size for _, values in figures.values() for size in values})
    today = datetime.date.today()
    lines = [
        HEADING,
        "",
        "Written by `benches/growth.sh`: the library in one process on the durable store, with the "
        "allocator of the package; users with all fields, one to six of 500 roles each in 20 000 "
        "role classes, every tenth with a direct link; 600 profiles, 60 of which have a rank and one "
        "to eight roles. A change of a rank is that of one of these, half of them to one of the "
        "strongest. A figure's exponent is its slope between the two largest "
        "numbers of users: 0 does not grow, 1 grows as the users do; of what is given for each user "
        "0 means that the whole grows as the users do. From 1.3 million users on a checkpoint is due "
        "after half of its own length of the journal, and not after 64 MiB.",
        "",
        f"{today.day} {today:%B %Y}; {processor()}, {os.cpu_count()} cores.",
        "",
        "| Figure | " + " | ".join(f"{size:,} users".replace(",", " ") for size in sizes)
        + " | exponent |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for name, (unit, values) in figures.items():
        cells = [short(values[size]) if size in values else "" for size in sizes]
        slope = exponent(values)
        slope = "" if slope is None else f"{slope:+.2f}"
        named = f"{name}, {unit}" if unit else name
        lines.append(f"| {named} | " + " | ".join(cells) + f" | {slope} |")
    lines += ["", "![Each figure over the number of users, as a multiple of its least](growth.svg)", ""]
    return "\n".join(lines)


def plot(figures):
    """Each figure over the number of users, both axes logarithmic, as a multiple of its least."""
    width, height, left, top, right, bottom = 860, 420, 60, 20, 300, 50
    sizes = sorted({size for _, values in figures.values() for size in values})
    across = [math.log10(size) for size in sizes]
    ratios = {
        name: {size: value / min(values.values()) for size, value in values.items()}
        for name, (_, values) in figures.items()
        if min(values.values()) > 0
    }
    most = max(1.0, *(math.log10(max(of.values())) for of in ratios.values()))
    span = max(across[-1] - across[0], 1e-9)

    def x(size):
        return left + (math.log10(size) - across[0]) / span * (width - left - right)

    def y(ratio):
        return height - bottom - math.log10(ratio) / most * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for size in sizes:
        parts.append(
            f'<line x1="{x(size):.1f}" y1="{top}" x2="{x(size):.1f}" y2="{height - bottom}" '
            'stroke="#ddd"/>'
            f'<text x="{x(size):.1f}" y="{height - bottom + 18}" text-anchor="middle">{size:,}</text>'
        )
    for power in range(int(most) + 1):
        at = y(10**power)
        parts.append(
            f'<line x1="{left}" y1="{at:.1f}" x2="{width - right}" y2="{at:.1f}" stroke="#ddd"/>'
            f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power} ×</text>'
        )
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">users</text>')
    for number, (name, of) in enumerate(ratios.items()):
        colour = f"hsl({number * 360 // len(ratios)}, 70%, 40%)"
        points = " ".join(f"{x(size):.1f},{y(ratio):.1f}" for size, ratio in sorted(of.items()))
        at = top + 12 + number * 20
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<rect x="{width - right + 20}" y="{at - 8}" width="12" height="4" fill="{colour}"/>'
            f'<text x="{width - right + 38}" y="{at}">{name}</text>'
        )
    parts.append("</svg>\n")
    return "\n".join(parts)


def main():
    folder, page, picture = sys.argv[1:]
    figures = read(folder)
    page = pathlib.Path(page)
    text = page.read_text()
    before, found, behind = text.partition(HEADING)
    following = re.search(r"^## ", behind, re.M) if found else None
    behind = behind[following.start():] if following else ""
    page.write_text(before.rstrip("\n") + "\n\n" + table(figures) + ("\n" + behind if behind else ""))
    pathlib.Path(picture).write_text(plot(figures))


if __name__ == "__main__":
    main()

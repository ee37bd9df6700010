"""Serves the page to a headless browser, from several origins, and prints what it says it reached.

Usage: pages.py BROWSER TARGET_PORT. Exit status 1 when a page opened or read something. Whether a
call had an effect is for the caller to see: a page learns little of what it sends.
"""

import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

PAGE = pathlib.Path(__file__).with_name("page.html").read_bytes()


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers the page, and takes what it reports."""

    def do_GET(self):
        self.answer(200 if self.path.startswith("/page") else 404, PAGE)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(204, b"")
        if self.path == "/done":
            self.server.outcomes = json.loads(body)
            self.server.done.set()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def visit(browser, origin, target):
    """Has a fresh browser open the page at an origin; answers what the page reports."""
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    pages.done, pages.outcomes = threading.Event(), None
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    url = f"http://{origin}:{pages.server_port}/page?target={target}"
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
            # Names that point to this machine, as an attacker's name server has them.
            "--host-resolver-rules=MAP *.example 127.0.0.1",
            url,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            finished = pages.done.wait(180)
        finally:
            process.kill()
            said = process.communicate()[1].decode(errors="replace")
            pages.shutdown()
    if not finished:
        sys.exit(f"the page at {origin} did not come to its end; the browser said: {said[-2000:]}")
    return pages.outcomes


def main():
    browser, port = sys.argv[1], sys.argv[2]
    reached = []
    for origin, target in [
        # A foreign site; a foreign port of this machine; a name that points to the server itself.
        ("evil.example", f"http://127.0.0.1:{port}"),
        ("127.0.0.1", f"http://localhost:{port}"),
        ("evil.example", f"http://evil.example:{port}"),
    ]:
        outcomes = visit(browser, origin, target)
        for name, outcome in outcomes.items():
            print(f"{origin} -> {target} {name}: {outcome}")
            if outcome.startswith(("OPEN", "READ")) or outcome == "loaded":
                reached.append(f"{origin} -> {target} {name}: {outcome}")
    if reached:
        sys.exit("a page reached: " + "; ".join(reached))


main()

"""Has a headless browser open the page at a listed origin, and at another one.

Usage: page.py BROWSER PORT SCRIPT SERVER USER
"""

import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.parse

browser, port, script, server, user = sys.argv[1:]
PAGE = b"<!doctype html><meta charset=utf-8><title>page</title><script>%s</script>" % (
    pathlib.Path(script).read_bytes().replace(b"</script", b"<\\/script")
)


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers the page, and takes what it reports."""

    def do_GET(self):
        self.answer(200 if self.path.startswith("/page") else 404, PAGE)

    def do_POST(self):
        outcome = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.answer(204, b"")
        self.server.outcome = outcome
        self.server.done.set()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body) if status != 204 else 0))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def visit(host):
    """What the page reports that a fresh browser opens under that name."""
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Pages)
    pages.done, pages.outcome = threading.Event(), None
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    query = urllib.parse.urlencode({"server": server, "user": user})
    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                # The authority was made for this test; the other clients verify it.
                "--ignore-certificate-errors",
                f"http://{host}:{port}/page?{query}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            finished = pages.done.wait(120)
        finally:
            process.kill()
            said = process.communicate()[1].decode(errors="replace")
            pages.shutdown()
            pages.server_close()
    if not finished:
        sys.exit(f"the page at {host} did not come to its end; the browser said: {said[-2000:]}")
    return pages.outcome


listed = visit("127.0.0.1")
if listed != "all done":
    sys.exit(f"a listed page: {listed}")
other = visit("localhost")
if not other.startswith("failed: "):
    sys.exit(f"a page that is not listed: {other}")
print(f"page: listed: {listed}; not listed: {other}")

"""Has a headless browser open the page, and hands it tokens of the issuer.

Usage: page.py BROWSER PORT SCRIPT SERVER ISSUER USER
"""

import base64
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request

browser, port, script, server, issuer, user = sys.argv[1:]
PAGE = b"<!doctype html><meta charset=utf-8><title>page</title><script>%s</script>" % (
    pathlib.Path(script).read_bytes().replace(b"</script", b"<\\/script")
)


def token():
    form = {
        "grant_type": "client_credentials",
        "resource": "urn:deskplane",
        "scope": "deskplane.agent",
    }
    secret = base64.b64encode(f"{user}:secret-of-{user}".encode()).decode()
    request = urllib.request.Request(
        f"{issuer}/token",
        data=urllib.parse.urlencode(form).encode(),
        headers={"authorization": f"Basic {secret}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers the page and tokens, and takes what the page reports."""

    def do_GET(self):
        if self.path == "/token":
            self.answer(200, token().encode())
        else:
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


pages = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Pages)
pages.done, pages.outcome = threading.Event(), None
threading.Thread(target=pages.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as profile:
    process = subprocess.Popen(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
            f"http://127.0.0.1:{port}/page?" + urllib.parse.urlencode({"server": server}),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        finished = pages.done.wait(120)
    finally:
        process.kill()
        said = process.communicate()[1].decode(errors="replace")
if not finished:
    sys.exit(f"the page did not come to its end; the browser said: {said[-2000:]}")
if pages.outcome != "all done":
    sys.exit(f"the page: {pages.outcome}")

"""Parts of programs that several tests have."""

# A DNS provider's server that answers a removal only when the test says so.
HANGING = """
    import http.server, threading
    go_on = threading.Event()
    class Hanging(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/present":
                print("cleaning", flush=True)
                go_on.wait()
                print("cleaned", flush=True)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def tell(event):
        if event.kind in ("triggered", "cleaned_up"):
            print(event.kind, flush=True)
    challenge = pylego.DNS01(
        "httpreq", resolvers=[CA["dns"]], propagation_wait=0.01,
        HTTPREQ_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HTTPREQ_HTTP_TIMEOUT="600",
    )
    def call(cleanup_timeout):
        client(timeout=None, cleanup_timeout=cleanup_timeout, on_event=tell).obtain(
            "a.example", challenges=challenge
        )
"""

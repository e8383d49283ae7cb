"""HTTP01App in real web servers, alone and around applications of several frameworks."""

import urllib.error
import urllib.request

import pytest

# Each obtains a certificate while it serves, prints its serial, and serves on.
OBTAIN = """
    import threading
    from guest import *
    http01 = pylego.HTTP01App()

    def serve_beside(app_ready):
        def work():
            app_ready.wait()
            print(obtain("web.example", http01), flush=True)
        threading.Thread(target=work, daemon=True).start()
"""

UVICORN = """
    import uvicorn
    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            ready.set()
    ready = threading.Event()
    serve_beside(ready)
    Server(uvicorn.Config(app, "127.0.0.1", CA["http_port"], log_level="error")).run()
"""

HYPERCORN = """
    import asyncio
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    ready = threading.Event()
    def listening():
        import socket, time
        while True:
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", CA["http_port"])) == 0:
                    return
            time.sleep(0.02)
    ready.wait = listening
    serve_beside(ready)
    config = Config()
    config.bind, config.loglevel = [f"127.0.0.1:{CA['http_port']}"], "ERROR"
    asyncio.run(serve(app, config))
"""

GUNICORN = """
    from gunicorn.app.base import BaseApplication
    ready = threading.Event()
    class Application(BaseApplication):
        def load_config(self):
            settings = {
                "bind": f"127.0.0.1:{CA['http_port']}", "threads": 2, "loglevel": "error",
                "control_socket_disable": True,
                # In the worker: the process that answers is the one that obtains.
                "post_worker_init": lambda worker: (serve_beside(ready), ready.set()),
            }
            for name, value in settings.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)
        def load(self):
            return app
    Application().run()
"""

ALONE = """
    app = http01
"""

FASTAPI = """
    import fastapi
    inner = fastapi.FastAPI()
    @inner.get("/hello")
    def hello():
        return "hello"
    http01 = app = pylego.HTTP01App(inner)
"""

FLASK = """
    import flask
    inner = flask.Flask("inner")
    @inner.get("/hello")
    def hello():
        return "hello"
    http01 = pylego.HTTP01App(inner.wsgi_app)
    inner.wsgi_app = http01
    app = inner
"""

DJANGO = """
    import django.conf, django.http, django.urls
    from django.core.{interface} import get_{interface}_application
    def hello(request):
        return django.http.HttpResponse("hello")
    urlpatterns = [django.urls.path("hello", hello)]
    django.conf.settings.configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    http01 = app = pylego.HTTP01App(get_{interface}_application())
"""

SERVERS = [
    pytest.param(UVICORN, ALONE, id="uvicorn"),
    pytest.param(HYPERCORN, ALONE, id="hypercorn"),
    pytest.param(HYPERCORN, FLASK, id="hypercorn-flask"),
    pytest.param(GUNICORN, ALONE, id="gunicorn"),
    pytest.param(UVICORN, FASTAPI, id="uvicorn-fastapi"),
    pytest.param(HYPERCORN, FASTAPI, id="hypercorn-fastapi"),
    pytest.param(UVICORN, DJANGO.format(interface="asgi"), id="uvicorn-django"),
    pytest.param(GUNICORN, DJANGO.format(interface="wsgi"), id="gunicorn-django"),
    pytest.param(GUNICORN, FLASK, id="gunicorn-flask"),
]


def get(server, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:  # it is the answer, too
            return error.code, ""


@pytest.mark.parametrize(("web_server", "app"), SERVERS)
def test_a_certificate_is_obtained_by_the_server_that_runs(
    framework_program, acme_server, web_server, app
):
    running = framework_program(OBTAIN + app + web_server)
    assert int(running.line(), 16)
    assert get(acme_server, "/.well-known/acme-challenge/unknown")[0] == 404
    if app is not ALONE:
        assert get(acme_server, "/hello")[1].strip('"') == "hello"

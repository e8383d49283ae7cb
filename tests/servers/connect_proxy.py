"""A proxy between a client and its CA."""

import socket
import threading
from contextlib import suppress


class ConnectProxy:
    """An HTTP proxy that knows CONNECT (RFC 9110 section 9.3.6) and keeps what was asked.

    With a host it takes every name for that one.
    """

    def __init__(self, host=None):
        self.asked = []
        self._host = host
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:hidden-word@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, suppress(OSError):  # either side may have gone
            self._connect(connection)

    def _connect(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = connection.recv(1 << 16)
            if not more:
                return
            head += more
        self.asked.append(head.decode())
        host, port = head.split()[1].decode().rsplit(":", 1)
        try:
            server = socket.create_connection((self._host or host, int(port)))
        except OSError:
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with server:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._copy, args=(server, connection), daemon=True)
            back.start()
            self._copy(connection, server)
            back.join()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # the other side has closed
            pass

    def close(self):
        with suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

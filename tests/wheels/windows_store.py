"""Run by Python for Windows: replaces a certificate while others read it."""

import os
import threading

from pylego import storage

NAME = "a.example"

store = storage.FileStore(os.environ["STORE"])
certificate = store.load(NAME)
done = threading.Event()
read = []


def reader():
    while not done.is_set():
        found = store.load(NAME)
        read.append(found.private_key == certificate.private_key)


readers = [threading.Thread(target=reader) for _ in range(2)]
for each in readers:
    each.start()
for number in range(20):
    store.save(NAME, certificate)
    store.save_state(NAME, {"number": number})
done.set()
for each in readers:
    each.join()
print("read:", all(read), "left:", store.state(NAME)["number"])
assert certificate.ssl_context()
certificate.write(os.environ["STORE"])
store.remove(NAME)
print(store.certificate_ids())

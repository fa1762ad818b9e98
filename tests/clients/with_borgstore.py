"""Drives borgstore as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.

An OP with a - before it may fail: what was raised is told, and the next one follows. The store's URL is in SFTP_STORE.
"""

import os
import sys

from borgstore.store import Store

NAMESPACES = {"config/": {"levels": [0]}, "locks/": {"levels": [0]}, "packs/": {"levels": [2]}}


def save(store, local, name):
    with open(local, "rb") as source:
        store.store(name, source.read())


def load(store, name, local):
    with open(local, "wb") as target:
        target.write(store.load(name))


def load_part(store, offset, size, name, local):
    with open(local, "wb") as target:
        target.write(store.load(name, offset=int(offset), size=int(size)))


def info(store, name):
    found = store.info(name)
    return [f"{found.size}" if found.exists else "absent"]


OPERATIONS = {
    "put": save,
    "get": load,
    "part": load_part,
    "list": lambda store, name: [info.name for info in store.list(name)],
    "remove": lambda store, name: store.delete(name),
    "soft-delete": lambda store, name: store.move(name, delete=True),
    "undelete": lambda store, name: store.move(name, undelete=True),
    "rename": lambda store, old, new: store.move(old, new),
    "stat": info,
    "hash": lambda store, name: [store.hash(name)],
}


def main():
    operations = [[]]
    for argument in sys.argv[1:]:
        if argument == ";":
            operations.append([])
        else:
            operations[-1].append(argument)
    store = Store(url=os.environ["SFTP_STORE"], config=NAMESPACES)
    if operations[0] == ["create"]:
        operations.pop(0)
        store.create()
    elif operations[0] == ["destroy"]:
        return store.destroy()
    with store:
        for name, *arguments in operations:
            try:
                answers = OPERATIONS[name.lstrip("-")](store, *arguments) or []
            except Exception as error:
                if not name.startswith("-"):
                    raise
                print(name, arguments, repr(error), file=sys.stderr)
                continue
            for answer in answers:
                sys.stdout.buffer.write(answer.encode() + b"\0")


main()

"""Drives asyncssh as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.

An OP with a - before it may fail: what was raised is told, and the next one follows.
"""

import asyncio
import os
import sys

import asyncssh


async def put(sftp, local, remote):
    await sftp.put(local, remote)


async def get(sftp, remote, local):
    await sftp.get(remote, local)


async def resume_put(sftp, local, remote):
    offset = await sftp.getsize(remote)
    with open(local, "rb") as source:
        source.seek(offset)
        async with sftp.open(remote, "rb+") as target:
            await target.write(source.read(), offset)


async def resume_get(sftp, remote, local):
    with open(local, "ab") as target:
        async with sftp.open(remote, "rb") as source:
            target.write(await source.read(offset=target.tell()))


async def append(sftp, local, remote):
    with open(local, "rb") as source:
        async with sftp.open(remote, "ab") as target:
            await target.write(source.read())


async def copy(sftp, old, new):
    await sftp.remote_copy(old, new)  # copy-data


async def fsync(sftp, remote):
    async with sftp.open(remote, "rb+") as file:
        await file.write(b"synced")
        await file.fsync()


async def truncate(sftp, size, path):
    await sftp.truncate(path, int(size))


async def utime(sftp, seconds, path):
    await sftp.utime(path, (int(seconds) + 86400, int(seconds)))


async def chmod(sftp, mode, path):
    await sftp.chmod(path, int(mode, 8))


async def listing(sftp, path):
    names = await sftp.listdir(path)
    return [name for name in names if name not in (b".", b"..")]


async def long_listing(sftp, path):
    return [entry.longname async for entry in sftp.scandir(path)]


async def statvfs(sftp, path):
    answer = await sftp.statvfs(path)
    return [f"{answer.blocks} {answer.frsize} {answer.files} {answer.namemax}"]


async def concurrently(sftp, local, remote):
    """Forty uploads at the same time, over one session."""
    await asyncio.gather(*(sftp.put(local, remote + b"/%d" % number) for number in range(40)))


async def answers(awaitable):
    return [await awaitable]


OPERATIONS = {
    "put": put,
    "get": get,
    "put-tree": lambda sftp, local, remote: sftp.put(local, remote, recurse=True),
    "get-tree": lambda sftp, remote, local: sftp.get(remote, local, recurse=True),
    "keep-tree": lambda sftp, local, remote: sftp.put(local, remote, preserve=True, recurse=True),
    "fetch-tree": lambda sftp, remote, local: sftp.get(remote, local, preserve=True, recurse=True),
    "resume-put": resume_put,
    "resume-get": resume_get,
    "append": append,
    "copy": copy,
    "fsync": fsync,
    "rename": lambda sftp, old, new: sftp.rename(old, new),
    "posix-rename": lambda sftp, old, new: sftp.posix_rename(old, new),
    "mkdir": lambda sftp, path: sftp.mkdir(path),
    "makedirs": lambda sftp, path: sftp.makedirs(path),
    "rmtree": lambda sftp, path: sftp.rmtree(path),
    "rmdir": lambda sftp, path: sftp.rmdir(path),
    "remove": lambda sftp, path: sftp.remove(path),
    "symlink": lambda sftp, target, path: sftp.symlink(target, path),
    "link": lambda sftp, old, new: sftp.link(old, new),
    "readlink": lambda sftp, path: answers(sftp.readlink(path)),
    "realpath": lambda sftp, path: answers(sftp.realpath(path)),
    "glob": lambda sftp, pattern: sftp.glob(pattern),
    "truncate": truncate,
    "utime": utime,
    "chmod": chmod,
    "list": listing,
    "long-list": long_listing,
    "statvfs": statvfs,
    "concurrently": concurrently,
}


async def main():
    operations = [[]]
    for argument in map(os.fsencode, sys.argv[1:]):
        if argument == b";":
            operations.append([])
        else:
            operations[-1].append(argument)
    connection = asyncssh.connect(
        "127.0.0.1",
        int(os.environ["SFTP_PORT"]),
        username=os.environ["SFTP_USER"],
        client_keys=[os.environ["SFTP_KEY"]],
        known_hosts=os.environ["SFTP_KNOWN_HOSTS"],
        config=None,
        agent_path=None,
    )
    # Newer versions are asked for, as far as asyncssh has them: the server's answer is 3.
    async with connection as ssh, ssh.start_sftp_client(sftp_version=6, path_encoding=None) as sftp:
        for name, *arguments in operations:
            try:
                told = await OPERATIONS[name.decode().lstrip("-")](sftp, *arguments) or []
            except Exception as error:
                if not name.startswith(b"-"):
                    raise
                print(name, arguments, repr(error), file=sys.stderr)
                continue
            for answer in told:
                line = answer if isinstance(answer, bytes) else answer.encode("utf-8", "surrogateescape")
                sys.stdout.buffer.write(line + b"\0")


asyncio.run(main())

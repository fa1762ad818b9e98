"""Drives paramiko as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.

An OP with a - before it may fail: what was raised is told, and the next one follows.
"""

import os
import sys

import paramiko


def put(sftp, local, remote):
    sftp.put(local, remote)  # compares the size by STAT at the end


def get(sftp, remote, local):
    sftp.get(remote, local)  # reads ahead


def resume_put(sftp, local, remote):
    with open(local, "rb") as source, sftp.open(remote, "r+") as target:
        offset = target.stat().st_size
        source.seek(offset)
        target.seek(offset)
        target.set_pipelined(True)
        while block := source.read(32768):
            target.write(block)


def resume_get(sftp, remote, local):
    with sftp.open(remote, "r") as source, open(local, "ab") as target:
        source.seek(target.tell())
        source.prefetch()
        while block := source.read(32768):
            target.write(block)


def append(sftp, local, remote):
    with open(local, "rb") as source, sftp.open(remote, "a") as target:
        target.write(source.read())


def ranges(sftp, remote, local):
    """Reads in pieces from the end to the start, all asked for at once."""
    with sftp.open(remote, "r") as source:
        size = source.stat().st_size
        pieces = [(start, min(10_007, size - start)) for start in range(0, size, 10_007)]
        found = dict(zip(reversed(pieces), source.readv(list(reversed(pieces)))))
    with open(local, "wb") as target:
        for piece in pieces:
            target.write(found[piece])


def exclusive(sftp, remote):
    sftp.open(remote, "wx").close()


def put_tree(sftp, local, remote):
    sftp.mkdir(remote)
    for entry in os.scandir(local):
        target = remote + b"/" + entry.name
        if entry.is_dir(follow_symlinks=False):
            put_tree(sftp, entry.path, target)
        elif entry.is_symlink():
            sftp.symlink(os.readlink(entry.path), target)
        else:
            sftp.put(entry.path, target)
            keep(sftp, entry, target)
    keep(sftp, os.stat(local), remote)


def keep(sftp, source, target):
    status = source.stat() if isinstance(source, os.DirEntry) else source
    sftp.chmod(target, status.st_mode & 0o7777)
    sftp.utime(target, (status.st_atime, status.st_mtime))


def copy_file(sftp, overwrite, source, target):
    """By the request that paramiko sends of no extension by itself; its integers have four bytes, of which the first is the field."""
    flag = int(overwrite) << 24
    sftp._request(paramiko.sftp.CMD_EXTENDED, "copy-file", source, target, flag)


def space_available(sftp, path):
    """By the request that paramiko sends of no extension by itself."""
    _, reply = sftp._request(paramiko.sftp.CMD_EXTENDED, "space-available", path)
    sizes = [reply.get_int64() for _ in range(4)]
    return [f"{sizes[0]} {reply.get_int()} {len(reply.get_remainder())}"]


def vendor_id(sftp, product):
    build = paramiko.sftp.int64(7)
    sftp._request(paramiko.sftp.CMD_EXTENDED, "vendor-id", "Vendor", product, "1.0", build)


def chmod(sftp, mode, path):
    sftp.chmod(path, int(mode, 8))


def utime(sftp, seconds, path):
    sftp.utime(path, (int(seconds) + 86400, int(seconds)))


def truncate(sftp, size, path):
    sftp.truncate(path, int(size))


def listing(sftp, path):
    names = sftp.listdir(path)
    assert sorted(names) == sorted(entry.filename for entry in sftp.listdir_iter(path))
    return names


def long_listing(sftp, path):
    return [entry.longname for entry in sftp.listdir_attr(path)]


def stat(sftp, path):
    attributes = sftp.lstat(path)
    return [f"{attributes.st_size} {attributes.st_mode:o} {attributes.st_mtime}"]


def handles(sftp, count, path):
    """Opens one file many times and reads through each."""
    files = [sftp.open(path, "r") for _ in range(int(count))]
    assert len({file.handle for file in files}) == len(files)
    contents = {file.read() for file in files}
    for file in files:
        file.close()
    return list(contents)


OPERATIONS = {
    "put": put,
    "get": get,
    "resume-put": resume_put,
    "resume-get": resume_get,
    "append": append,
    "ranges": ranges,
    "exclusive": exclusive,
    "put-tree": put_tree,
    "copy-file": copy_file,
    "space-available": space_available,
    "vendor-id": vendor_id,
    "rename": lambda sftp, old, new: sftp.rename(old, new),
    "posix-rename": lambda sftp, old, new: sftp.posix_rename(old, new),
    "mkdir": lambda sftp, path: sftp.mkdir(path),
    "rmdir": lambda sftp, path: sftp.rmdir(path),
    "remove": lambda sftp, path: sftp.remove(path),
    "chmod": chmod,
    "utime": utime,
    "truncate": truncate,
    "symlink": lambda sftp, target, path: sftp.symlink(target, path),
    "readlink": lambda sftp, path: [sftp.readlink(path)],
    "normalize": lambda sftp, path: [sftp.normalize(path)],
    "list": listing,
    "long-list": long_listing,
    "stat": stat,
    "handles": handles,
}


def connect():
    client = paramiko.SSHClient()
    client.load_host_keys(os.environ["SFTP_KNOWN_HOSTS"])
    client.connect(
        "127.0.0.1",
        int(os.environ["SFTP_PORT"]),
        os.environ["SFTP_USER"],
        key_filename=os.environ["SFTP_KEY"],
        allow_agent=False,
        look_for_keys=False,
    )
    return client


def main():
    operations = [[]]
    for argument in map(os.fsencode, sys.argv[1:]):
        if argument == b";":
            operations.append([])
        else:
            operations[-1].append(argument)
    with connect() as client, client.open_sftp() as sftp:
        for name, *arguments in operations:
            try:
                answers = OPERATIONS[name.decode().lstrip("-")](sftp, *arguments) or []
            except Exception as error:
                if not name.startswith(b"-"):
                    raise
                print(name, arguments, repr(error), file=sys.stderr)
                continue
            for answer in answers:
                line = answer if isinstance(answer, bytes) else answer.encode("utf-8", "surrogateescape")
                sys.stdout.buffer.write(line + b"\0")


main()

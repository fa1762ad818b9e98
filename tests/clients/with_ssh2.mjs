// Drives ssh2 and ssh2-sftp-client as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.
// An OP with a - before it may fail: what was raised is told, and the next one follows.

import { createReadStream, createWriteStream, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const require = createRequire(`${process.env.NODE_MODULES}/`);
const SftpClient = require('ssh2-sftp-client');

const client = new SftpClient();
client.on('error', (error) => { throw error; });
const hostKey = Buffer.from(readFileSync(process.env.SFTP_KNOWN_HOSTS, 'utf8').split(' ')[2], 'base64');

// ssh2's own SFTP, for what ssh2-sftp-client does not pass on.
const raw = (method, ...args) => promisify(client.sftp[method].bind(client.sftp))(...args);

const operations = {
  put: (local, remote) => client.put(local, remote),
  get: (remote, local) => client.get(remote, local),
  'fast-put': (local, remote) => client.fastPut(local, remote),
  'fast-get': (remote, local) => client.fastGet(remote, local),
  append: (local, remote) => client.append(readFileSync(local), remote),
  'resume-put': async (local, remote) => {
    const { size } = await client.stat(remote);
    const target = client.createWriteStream(remote, { flags: 'r+', start: size });
    await pipeline(createReadStream(local, { start: size }), target);
  },
  'resume-get': async (remote, local) => {
    const source = client.createReadStream(remote, { start: statSync(local).size });
    await pipeline(source, createWriteStream(local, { flags: 'a' }));
  },
  'put-dir': (local, remote) => client.uploadDir(local, remote),
  'get-dir': (remote, local) => client.downloadDir(remote, local),
  rename: (from, to) => client.rename(from, to),
  'posix-rename': (from, to) => client.posixRename(from, to),
  'copy-data': async (from, to) => {
    const source = await raw('open', from, 'r');
    const target = await raw('open', to, 'w');
    await raw('ext_copy_data', source, 0, 0, target, 0);
    await raw('close', source);
    await raw('close', target);
  },
  fsync: async (path) => {
    const handle = await raw('open', path, 'r+');
    await raw('write', handle, Buffer.from('synced'), 0, 6, 0);
    await raw('ext_openssh_fsync', handle);
    await raw('close', handle);
  },
  mkdir: (path) => client.mkdir(path, true),
  rmdir: (path) => client.rmdir(path, true),
  remove: (path) => client.delete(path),
  chmod: (mode, path) => client.chmod(path, parseInt(mode, 8)),
  utimes: (seconds, path) => raw('utimes', path, Number(seconds) + 86400, Number(seconds)),
  truncate: async (size, path) => raw('setstat', path, { size: Number(size) }),
  symlink: (target, path) => raw('symlink', target, path),
  link: (from, to) => raw('ext_openssh_hardlink', from, to),
  readlink: async (path) => [await raw('readlink', path)],
  expand: async (path) => [await raw('ext_openssh_expandPath', path).catch((error) => {
    // An answer of the server's has a number for its code.
    if (typeof error.code !== 'number') throw error;
    return error.message;
  })],
  statvfs: async (path) => {
    const { f_blocks, f_frsize, f_files, f_namemax } = await raw('ext_openssh_statvfs', path);
    return [`${f_blocks} ${f_frsize} ${f_files} ${f_namemax}`];
  },
  exists: async (path) => [String(await client.exists(path))],
  realpath: async (path) => [await client.realPath(path)],
  list: async (path) => (await client.list(path)).map((entry) => entry.name),
  'long-list': async (path) => (await client.list(path)).map((entry) => entry.longname),
};

const script = [[]];
for (const argument of process.argv.slice(2)) {
  if (argument === ';') script.push([]);
  else script.at(-1).push(argument);
}

try {
  await client.connect({
    host: '127.0.0.1',
    port: Number(process.env.SFTP_PORT),
    username: process.env.SFTP_USER,
    privateKey: readFileSync(process.env.SFTP_KEY),
    hostVerifier: (key) => key.equals(hostKey),
  });
  for (const [name, ...args] of script) {
    const answers = await operations[name.replace(/^-/, '')](...args).catch((error) => {
      if (!name.startsWith('-')) throw error;
      console.error(`${name} ${args.join(' ')}: ${error.message}`);
    });
    if (Array.isArray(answers)) for (const answer of answers) process.stdout.write(`${answer}\0`);
  }
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  await client.end();
}

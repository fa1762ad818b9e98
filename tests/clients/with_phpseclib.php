<?php
// Drives phpseclib as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.
// An OP with a - before it may fail: what was raised is told, and the next one follows.

require '/usr/share/php/phpseclib3/autoload.php';

use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Net\SFTP;

function login(): SFTP
{
    $sftp = new SFTP('127.0.0.1', (int) getenv('SFTP_PORT'));
    [, $kind, $key] = explode(' ', trim(file_get_contents(getenv('SFTP_KNOWN_HOSTS'))));
    if ($sftp->getServerPublicHostKey() !== "$kind $key") {
        throw new Exception('another host key: ' . $sftp->getServerPublicHostKey());
    }
    if (!$sftp->login(getenv('SFTP_USER'), PublicKeyLoader::load(file_get_contents(getenv('SFTP_KEY'))))) {
        throw new Exception('no login');
    }
    return $sftp;
}

$sftp = login();
function putTree(SFTP $sftp, string $local, string $remote): bool
{
    if (!is_dir($local)) {
        return $sftp->put($remote, $local, SFTP::SOURCE_LOCAL_FILE);
    }
    $done = $sftp->mkdir($remote);
    foreach ($done ? array_diff(scandir($local), ['.', '..']) : [] as $name) {
        $done = $done && putTree($sftp, "$local/$name", "$remote/$name");
    }
    return $done;
}

$operations = [
    'put' => fn($sftp, $local, $remote) => $sftp->put($remote, $local, SFTP::SOURCE_LOCAL_FILE),
    'get' => fn($sftp, $remote, $local) => $sftp->get($remote, $local),
    'resume-put' => function ($sftp, $local, $remote) {
        $there = $sftp->filesize($remote);
        return $sftp->put($remote, $local, SFTP::SOURCE_LOCAL_FILE | SFTP::RESUME, -1, $there);
    },
    'resume-get' => fn($sftp, $remote, $local) => $sftp->get($remote, fopen($local, 'a'), filesize($local)),
    'append' => fn($sftp, $local, $remote) => $sftp->put($remote, $local, SFTP::SOURCE_LOCAL_FILE | SFTP::RESUME),
    'put-tree' => fn($sftp, $local, $remote) => putTree($sftp, $local, $remote),
    'rename' => fn($sftp, $old, $new) => $sftp->rename($old, $new),
    'mkdir' => fn($sftp, $path) => $sftp->mkdir($path, -1, true),
    'rmdir' => fn($sftp, $path) => $sftp->rmdir($path),
    'remove' => fn($sftp, $path) => $sftp->delete($path, false),
    'rremove' => fn($sftp, $path) => $sftp->delete($path, true),
    'chmod' => fn($sftp, $mode, $path) => $sftp->chmod(octdec($mode), $path) !== false,
    'utime' => fn($sftp, $seconds, $path) => $sftp->touch($path, (int) $seconds, (int) $seconds + 86400),
    'truncate' => fn($sftp, $size, $path) => $sftp->truncate($path, (int) $size),
    'symlink' => fn($sftp, $target, $path) => $sftp->symlink($target, $path),
    'readlink' => fn($sftp, $path) => [$sftp->readlink($path)],
    'stat' => function ($sftp, $path) {
        $stat = $sftp->lstat($path);
        return $stat ? [($stat['type'] === 1 ? 'regular ' : 'other ') . $stat['size']] : false;
    },
    'list' => function ($sftp, $path) {
        $names = $sftp->nlist($path);
        return $names === false ? false : array_values(array_diff($names, ['.', '..']));
    },
];

$script = [[]];
foreach (array_slice($argv, 1) as $argument) {
    if ($argument === ';') {
        $script[] = [];
    } else {
        $script[array_key_last($script)][] = $argument;
    }
}

foreach ($script as $arguments) {
    $name = array_shift($arguments);
    $answers = $operations[ltrim($name, '-')]($sftp, ...$arguments);
    if ($answers === false) {
        fwrite(STDERR, $name . ' ' . implode(' ', $arguments) . ': ' . $sftp->getLastSFTPError() . "\n");
        if ($name[0] !== '-') {
            exit(1);
        }
        // Where a WRITE failed, it takes the answers to those behind it for answers to what it asks next.
        if (in_array($name, ['-put', '-put-tree', '-resume-put', '-append'])) {
            $sftp = login();
        }
    } elseif (is_array($answers)) {
        foreach ($answers as $answer) {
            echo $answer, "\0";
        }
    }
}

//! A drop-in replacement for OpenSSH's `sftp-server`.

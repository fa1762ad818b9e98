//! The overlap: which requests run beside which, on which thread, and what was learned of how long they take.
//!
//! It knows what a request touches and how long it took; neither its fields nor its answer.
//!
//! A session's own thread hears signals, `--session-timeout` and the end of the client, and only between two requests. So nothing that loops by
//! the client's will, or waits for another process or host, is done there for longer than some 20 ms. This is all of it:
//!
//! | what                                    | bounded by                                             | done by                              |
//! |-----------------------------------------|--------------------------------------------------------|--------------------------------------|
//! | the requests of a burst                 | 512 KiB that have arrived                              | the session; it listens each 100 ms  |
//! | the fields of a request, extended pairs | a packet, 256 KiB                                      | the session                          |
//! | a path that only the walk can resolve   | 40 links, 8192 components; `..` opens some ten anew    | a thread, after 20 ms                |
//! | a path that another process changes     | 64 resolutions                                         | a thread, after 4                    |
//! | patterns of rules                       | pattern times path: no pattern goes back twice         | as the walk or the listing           |
//! | a listing that is shown                 | 34 000 bytes a response, or 20 ms                      | the session                          |
//! | a listing of which nothing is shown     | the directory, once                                    | a thread, after 20 ms                |
//! | a listing where something is mounted    | who serves that                                        | a thread                             |
//! | names of users and groups, and homes    | as many numbers as a packet holds, each asked for once | a thread, but for passwd(5), group(5)|
//! | who sent a packet that is too long      | 1 s; the log has the number then                       | a thread                             |
//! | a file on which somebody has a lease    | /proc/sys/fs/lease-break-time                          | a thread                             |
//! | paths and handles on FUSE, NFS, SMB …   | who serves them                                        | a thread, with rules too             |
//! | paths and files on a slow disk          | the disk                                               | a thread, once one was slow          |
//! | a large file that is freed              | the disk, extent by extent                             | a thread, as of 8 MiB                |
//! | fsync, copy-data, copy-file             | the files; the client's end breaks off none            | a thread                             |
//! | a rate; a client that does not read     | itself                                                 | the runtime, which listens           |
//! | the log                                 | half a second once, then a tenth of the time           | the session                          |
//! | the list of mounts                      | the kernel; when it has changed                        | the session                          |
//! | the end: what is open                   | not closed here                                        | the kernel                           |
//! | the end: files that others serve        | not asked how long they are                            |                                      |
//! | the end: uploads that are not complete  | 0.8 s                                                  | a thread                             |
//!
//! Where no thread can be started the session does it all itself, and hears nothing meanwhile. The kernel breaks off no system call on a disk:
//! the first one that waits for a disk which was fast before is waited for.

pub(super) mod cost;
pub(super) mod earlier;
pub(super) mod lesson;
pub mod pipeline;
pub(super) mod pool;
pub mod touch;

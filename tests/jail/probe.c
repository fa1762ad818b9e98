/*
 * What an attacker would run inside a session, preloaded into the server by the tests of tests/jail/locks.rs.
 *
 * SYMLINK with the target "probe:NAME[:NUMBER]" tries what is called so; the link then holds "done" or the number of the error.
 * LOCKS_OPEN, a list of names, keeps locks open: the calls that close them are then not made. "abi-N" in it stands for a
 * kernel whose Landlock is that old.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char *locks_open, *locks_socket;
extern char **environ;

/* The server drops its environment. */
__attribute__((constructor)) static void start(void)
{
	locks_open = getenv("LOCKS_OPEN");
	locks_socket = getenv("LOCKS_SOCKET");
}

static int open_lock(const char *lock)
{
	return locks_open && strstr(locks_open, lock);
}

int unsetenv(const char *name)
{
	static int (*next)(const char *);

	if (open_lock("environment"))
		return 0;
	if (!next)
		next = dlsym(RTLD_NEXT, "unsetenv");
	return next(name);
}

/* Done where there is more than the time zone in it. */
static long environment(void)
{
	for (char **entry = environ; *entry; entry++)
		if (strncmp(*entry, "TZ=", 3))
			return 0;
	errno = ENOENT;
	return -1;
}

/* The two ways by which Rust's crates close locks. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_seccomp && open_lock("seccomp"))
		return 0;
	if (number == SYS_landlock_create_ruleset && a[2] == LANDLOCK_CREATE_RULESET_VERSION && open_lock("abi-"))
		return atoi(strstr(locks_open, "abi-") + 4);
	if (number == SYS_landlock_restrict_self && open_lock("landlock"))
		return 0;
	if (!next)
		next = dlsym(RTLD_NEXT, "syscall");
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int prctl(int option, ...)
{
	long a[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (option == PR_SET_DUMPABLE && open_lock("limits"))
		return 0;
	return syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

static long abstract_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *name = locks_socket;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path + 1, name);
	return connect(fd, (void *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static long tcp(long port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? fd : connect(fd, (void *)&to, sizeof to);
}

static long memory_and_exec(void)
{
	char *none[] = { NULL };
	int fd = syscall(SYS_memfd_create, "x", 0);

	return fd < 0 ? fd : syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH);
}

static long child(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

/* As ld.so maps a module. */
static long module(void)
{
	int fd = open("bait", O_RDONLY);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	return page == MAP_FAILED ? -1 : 0;
}

/* Sets the limits of another process. */
static long limit(long pid)
{
	struct rlimit limit = { 7, 7 };

	return syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &limit, NULL);
}

static long send_elsewhere(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "nobody" };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return sendto(fd, "", 1, 0, (void *)&to, sizeof to);
}

static long advise(int advice)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return madvise(page, 4096, advice);
}

static long futex(int operation)
{
	int word = 0;

	return syscall(SYS_futex, &word, operation, 1, NULL, NULL, -1);
}

static long try(const char *what, long number)
{
	char *none[] = { NULL };
	char byte = 0;
	struct iovec one = { &byte, 1 };
	long zeros[32] = { 0 };
	int ends[2];

#define IF(name, attempt) if (!strcmp(what, name)) return (attempt);
	IF("exec", syscall(SYS_execve, "/nonexistent", none, none))
	IF("memory-and-exec", memory_and_exec())
	IF("execveat", syscall(SYS_execveat, -1, "nonexistent", none, none, 0))
	IF("child", child())
	IF("clone3", syscall(SYS_clone3, zeros, 0))
	IF("ptrace", ptrace(PTRACE_ATTACH, number, 0, 0))
	IF("read-memory", syscall(SYS_process_vm_readv, number, &one, 1, &one, 1, 0))
	IF("write-memory", syscall(SYS_process_vm_writev, number, &one, 1, &one, 1, 0))
	IF("steal-descriptor", syscall(SYS_pidfd_getfd, -1, 0, 0))
	IF("signal", kill(number, SIGTERM))
	IF("signal-thread", syscall(SYS_tgkill, number, number, SIGTERM))
	IF("signal-by-descriptor", fcntl(0, F_SETOWN, number))
	IF("mount", mount("none", "/nonexistent", "tmpfs", 0, NULL))
	IF("open-tree", syscall(SYS_open_tree, -1, "", 0))
	IF("chroot", chroot("/nonexistent"))
	IF("unshare", unshare(CLONE_NEWUSER))
	IF("setns", setns(-1, 0))
	IF("keyctl", syscall(SYS_keyctl, 0, -3, 1, 0, 0))
	IF("add-key", syscall(SYS_add_key, "user", "locks", "x", 1, -3))
	IF("bpf", syscall(SYS_bpf, -1, zeros, sizeof zeros))
	IF("perf", syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0))
	IF("userfaultfd", syscall(SYS_userfaultfd, -1))
	IF("io-uring", syscall(SYS_io_uring_setup, 0, zeros))
	IF("tcp", tcp(number))
	IF("udp", socket(AF_INET6, SOCK_DGRAM, 0))
	IF("netlink", socket(AF_NETLINK, SOCK_RAW, 0))
	IF("abstract-socket", abstract_socket())
	IF("listen", bind(-1, NULL, 0))
	IF("ioctl", ioctl(0, FIOCLEX))
	IF("read", open("/etc/hostname", O_RDONLY))
	IF("write", open("/tmp", O_TMPFILE | O_WRONLY, 0600))
	IF("truncate", truncate("bait", 0))
	IF("device", mknod("made", S_IFIFO | 0600, 0))
	IF("code", code())
	IF("module", module())
	IF("limit", limit(number))
	IF("whiteout", syscall(SYS_renameat2, AT_FDCWD, "bait", AT_FDCWD, "moved", 4))
	IF("exchange", syscall(SYS_renameat2, AT_FDCWD, "bait", AT_FDCWD, "bait", 2))
	IF("link-followed", linkat(AT_FDCWD, "bait", AT_FDCWD, "linked", AT_SYMLINK_FOLLOW))
	IF("link-of-descriptor", linkat(-1, "", AT_FDCWD, "linked", AT_EMPTY_PATH))
	IF("send-elsewhere", send_elsewhere())
	IF("notifications", pipe2(ends, O_EXCL))
	IF("merge-memory", advise(MADV_MERGEABLE))
	IF("break-memory", advise(MADV_HWPOISON))
	IF("give-memory", advise(MADV_DONTNEED))
	IF("lend-priority", futex(FUTEX_LOCK_PI))
	IF("lend-priority-privately", futex(FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG))
	IF("wake", futex(FUTEX_WAKE | FUTEX_PRIVATE_FLAG))
	IF("clock", syscall(SYS_clock_gettime, ~number << 3 | 2, zeros))
	IF("time", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, zeros))
	IF("number-of-descriptor", dup2(0, 77))
	IF("wake-machine", timerfd_create(CLOCK_BOOTTIME_ALARM, 0))
	IF("socket-option", setsockopt(-1, IPPROTO_TCP, SO_SNDBUF, zeros, sizeof(int)))
	IF("environment", environment())
	IF("priority", syscall(SYS_getpriority, 0, 0))
	IF("other-abi", syscall(0x40000000 + SYS_getpid))
	errno = ENOTSUP;
	return -1;
}

int symlinkat(const char *target, int directory, const char *link)
{
	static int (*next)(const char *, int, const char *);
	char what[64] = "", result[64];
	long number = 0, made;

	if (!next)
		next = dlsym(RTLD_NEXT, "symlinkat");
	if (sscanf(target, "probe:%63[^:]:%ld", what, &number) < 1)
		return next(target, directory, link);
	errno = 0;
	made = try(what, number);
	if (made == -1)
		snprintf(result, sizeof result, "%d", errno);
	else
		strcpy(result, "done");
	return next(result, directory, link);
}

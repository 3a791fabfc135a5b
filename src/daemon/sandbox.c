// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filter of system calls, by libseccomp.
 *
 * A list of what is allowed.  Most of it has no conditions: the kernel remembers such calls
 * in a bitmap and does not even run the filter for them, so what happens per packet has to
 * be among these.  Calls that also do what the daemon never does have conditions on their
 * arguments, by which it cannot, for instance,
 *
 *	run programs		nft(8) is run by a helper, see child.h
 *	write to files		only what was opened before
 *	make memory executable, or threads
 *	open packet or Bluetooth or other sockets than its own kinds
 *
 * A call that is refused raises SIGSYS in the thread that made it.  The handler makes the
 * call return -EPERM, notes its number and wakes the first thread, which tells it.  Where
 * this file does not know the register for that, the kernel returns -EPERM by itself and
 * nothing is told; likewise for calls that make processes.
 *
 * Owns the notes and an eventfd.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <stdio.h>

#ifdef HAVE_SECCOMP
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sanitizer.h"

/* In <linux/signal.h> only, with older C libraries. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* Where a system call leaves its result. */
#if defined(__x86_64__)
#define RESULT(uc) ((uc)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define RESULT(uc) ((uc)->uc_mcontext.regs[0])
#endif

/* Names that an architecture does not have are left out. */
static const char *const allowed[] = {
	/* packets and sockets */
	"read", "readv", "write", "writev", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg",
	"sendmmsg", "connect", "bind", "accept", "accept4", "shutdown", "close", "getsockname",
	"getpeername", "getsockopt", "setsockopt",
	/* waiting, timers, locks */
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"timerfd_settime", "timerfd_settime64", "futex", "futex_time64", "nanosleep",
	"clock_nanosleep", "clock_nanosleep_time64", "restart_syscall", "sched_yield",
	/* the time, random numbers, who we are */
	"clock_gettime", "clock_gettime64", "gettimeofday", "time", "getrandom", "getpid", "gettid",
	"getuid", "geteuid", "getgid", "getegid", "sched_getaffinity", "uname",
	/* a thread's own beginning, which may come late */
	"set_robust_list", "rseq", "sched_getscheduler", "sched_setscheduler",
	/* memory; mmap and mprotect are below */
	"brk", "munmap", "mremap", "madvise", "memfd_create",
	/* files: the configuration, /proc, the time zone */
	"pread64", "pwrite64", "lseek", "_llseek", "fstat", "fstat64", "newfstatat", "fstatat64", "stat",
	"stat64", "lstat", "lstat64", "statx", "access", "faccessat", "faccessat2", "fcntl",
	"fcntl64", "readlink", "readlinkat", "getrlimit", "ugetrlimit", "setrlimit", "prlimit64",
	/* the end: the control socket's file, the helper, abort() */
	"unlink", "unlinkat", "wait4", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sigreturn", "tgkill",
#if SANITIZE_ADDRESS
	/* Reports, and the search for leaks by a thread that looks at the others. */
	"clone", "ptrace", "prctl", "sigaltstack", "ioctl", "getppid", "kill", "getcwd",
	"getdents", "getdents64", "mprotect", "mmap", "process_vm_readv",
	"pipe2", "pipe", "dup", "dup2", "tkill", "sysinfo", "arch_prctl",
#endif
};

/* At most one condition per argument; all of a line hold. */
static const struct {
	const char *name;
	unsigned count;
	struct scmp_arg_cmp when[3];
} conditional[] = {
#define HAS(arg, mask, value) { arg, SCMP_CMP_MASKED_EQ, mask, value }
#define IS(arg, value) { arg, SCMP_CMP_EQ, value, 0 }
	{ "openat", 1, { HAS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) } },
	{ "open", 1, { HAS(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) } },
	{ "mmap", 1, { HAS(2, PROT_EXEC, 0) } },
	{ "mmap2", 1, { HAS(2, PROT_EXEC, 0) } },
	{ "mprotect", 1, { HAS(2, PROT_EXEC, 0) } },
	{ "ioctl", 1, { IS(1, FIONREAD) } },
	{ "ioctl", 1, { IS(1, SIOCGIFINDEX) } },
	{ "ioctl", 1, { IS(1, SIOCGIFFLAGS) } },
	{ "ioctl", 1, { IS(1, TUNSETSNDBUF) } },
	{ "socket", 1, { IS(0, AF_UNIX) } },
	{ "socket", 2, { IS(0, AF_INET), HAS(1, 0xf, SOCK_STREAM) } },
	{ "socket", 2, { IS(0, AF_INET), HAS(1, 0xf, SOCK_DGRAM) } },
	{ "socket", 2, { IS(0, AF_INET6), HAS(1, 0xf, SOCK_STREAM) } },
	{ "socket", 2, { IS(0, AF_INET6), HAS(1, 0xf, SOCK_DGRAM) } },
	{ "socket", 2, { IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE) } },
	{ "socket", 2, { IS(0, AF_NETLINK), IS(2, NETLINK_NETFILTER) } },
#undef HAS
#undef IS
};

/* The C library makes these with all signals blocked, and SIGSYS would kill: they just fail. */
static const char *const silent[] = {
#if !SANITIZE_ADDRESS
	"clone",
#endif
	"clone3", "fork", "vfork",
};

#define NUMBERS 1024    /* of system calls; what is beyond counts as the last */

static struct {
	int fd;                         /* -1: nothing is told */
	atomic_bool refused[NUMBERS];
	bool told[NUMBERS];
} notes = { .fd = -1 };

bool sandbox_available(void)
{
	return true;
}

#ifdef RESULT
static void on_refused(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int nr = info->si_syscall, before = errno;
	uint64_t one = 1;

	(void)number;
	if (info->si_code != SYS_SECCOMP)
		return;         /* somebody's kill(1) */
	RESULT(uc) = -EPERM;
	if (nr < 0 || nr >= NUMBERS)
		nr = NUMBERS - 1;
	if (atomic_exchange(&notes.refused[nr], true))
		return;
	/* Can fail only when it is readable already. */
	if (write(notes.fd, &one, sizeof(one)) < 0)
		errno = before;
}

static int catch_refusals(void)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART };

	notes.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (notes.fd < 0)
		return -errno;
	action.sa_sigaction = on_refused;
	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}
#endif

static uint32_t refusal(void)
{
#ifdef RESULT
	return SCMP_ACT_TRAP;
#else
	return SCMP_ACT_ERRNO(EPERM);
#endif
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
		     size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		if (nr >= 0)
			ret = seccomp_rule_add(filter, action, nr, 0);
	}
	return ret;
}

static int add_rules(scmp_filter_ctx filter)
{
	int ret = add_names(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));

	/* Where it is not told, this is what all get that is not allowed. */
	if (!ret && refusal() != SCMP_ACT_ERRNO(EPERM))
		ret = add_names(filter, SCMP_ACT_ERRNO(EPERM), silent,
				sizeof(silent) / sizeof(silent[0]));
	for (size_t i = 0; i < sizeof(conditional) / sizeof(conditional[0]) && !ret; i++) {
		int nr = seccomp_syscall_resolve_name(conditional[i].name);

		if (nr >= 0)
			ret = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, nr,
						     conditional[i].count, conditional[i].when);
	}
	return ret;
}

int sandbox_enter(char *err, size_t err_len)
{
	scmp_filter_ctx filter = seccomp_init(refusal());
	int ret = filter ? 0 : -ENOMEM;

	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* Nothing foreign runs in this process; without this, older kernels would slow down all
	 * of it, by a mitigation that is meant for what does.  The oldest know neither. */
	if (!ret && seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1))
		log_debug("seccomp: this kernel has no flag SPEC_ALLOW");
	/* A tree instead of a list, for the calls with conditions. */
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!ret)
		ret = add_rules(filter);
#ifdef RESULT
	if (!ret)
		ret = catch_refusals();
#endif
	if (!ret)
		ret = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	if (ret)
		snprintf(err, err_len, "cannot filter system calls: %s (is seccomp missing from the "
			 "kernel, or forbidden here?); seccomp = no goes without", strerror(-ret));
	return ret;
}

int sandbox_fd(void)
{
	return notes.fd;
}

void sandbox_report(void)
{
	uint64_t n;

	if (notes.fd < 0 || read(notes.fd, &n, sizeof(n)) < 0)
		return;
	for (int nr = 0; nr < NUMBERS; nr++) {
		char *name;

		if (!atomic_load(&notes.refused[nr]) || notes.told[nr])
			continue;
		notes.told[nr] = true;
		name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), nr);
		log_error("seccomp: the system call %s (%d) was refused", name ? name : "unknown",
			  nr);
		free(name);
	}
}

#else

bool sandbox_available(void)
{
	return false;
}

int sandbox_enter(char *err, size_t err_len)
{
	snprintf(err, err_len, "this build cannot filter system calls");
	return -ENOSYS;
}

int sandbox_fd(void)
{
	return -1;
}

void sandbox_report(void)
{
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runner: directed scenarios, seeds that once failed, and random seeds, shared
 * out to a few processes so that a crash costs one seed, not the run.
 */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds of one seed after which it counts as hanging; see patience(). */
#define SEED_SECONDS 120
#define JOBS_MAX 64

/* Seeds that found a bug once, with what they found, for each profile. */
static const struct regression {
	bool proxy;
	uint64_t seed;
	const char *what;
} regressions[] = {
#include "regressions.h"
}, middlebox_regressions[] = {
#include "regressions_middlebox.h"
}, mute_regressions[] = {
#include "regressions_mute.h"
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum kind { DIRECTED, DIRECTED_V0, ENGINE, PROXY, REGRESSION };

struct job {
	enum kind kind;
	uint64_t number;        /* seed, or place in a list */
};

struct shard {                  /* shared with the parent */
	volatile uint64_t next;         /* place in the list of jobs */
	volatile uint64_t passed, failed, events;
	volatile uint64_t fallbacks, resets;
};

static const struct directed *const tables[] = {
	directed_basic, directed_paths, directed_options, directed_proxy, directed_idle,
	directed_net,
};

static uint64_t first_seed = SEED_ADDRESSES + 1, seed_count = 3000;
static bool run_engine = true, run_proxy = true, run_directed = true;
static uint64_t directed_total;
static const uint64_t regression_total = LENGTH(regressions) + LENGTH(middlebox_regressions) +
					 LENGTH(mute_regressions);
static const struct profile {
	const char *name;
	void (*make)(struct scenario *s, uint64_t seed, bool proxy);
	const struct regression *once;
	size_t once_count;
} profiles[] = {
	{ "any", scenario_random, regressions, LENGTH(regressions) },
	{ "middlebox", scenario_middlebox, middlebox_regressions, LENGTH(middlebox_regressions) },
	{ "mute", scenario_mute, mute_regressions, LENGTH(mute_regressions) },
}, *profile = profiles;
static bool verbose, hashes;
static const char *pcap;

static const struct directed *directed_at(uint64_t n)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct directed *d = tables[t]; d->name; d++) {
			if (!n--)
				return d;
		}
	}
	return NULL;
}

/* The `n`-th piece of work, or false. */
static bool job_at(uint64_t n, struct job *j)
{
	int modes = run_engine + run_proxy;

	if (run_directed) {
		if (n < 2 * directed_total) {
			*j = (struct job){ n % 2 ? DIRECTED_V0 : DIRECTED, n / 2 };
			return true;
		}
		n -= 2 * directed_total;
		if (n < regression_total) {
			*j = (struct job){ REGRESSION, n };
			return true;
		}
		n -= regression_total;
	}
	if (!modes || n >= seed_count * (uint64_t)modes)
		return false;
	j->number = first_seed + n / (uint64_t)modes;
	j->kind = modes == 2 ? (n % 2 ? PROXY : ENGINE) : run_proxy ? PROXY : ENGINE;
	return true;
}

static void make(const struct job *j, struct scenario *s, char *name, size_t room)
{
	const struct regression *old;
	const struct profile *of = profiles;
	uint64_t n = j->number;

	switch (j->kind) {
	case DIRECTED:
	case DIRECTED_V0:
		directed_at(j->number)->make(s);
		s->name = directed_at(j->number)->name;
		s->seed = 1;
		if (j->kind == DIRECTED_V0)
			s->cfg[0].versions = MPTCP_VERSION_BIT(0);
		snprintf(name, room, "--scenario %s%s", s->name,
			 j->kind == DIRECTED_V0 ? " --v0" : "");
		break;
	case REGRESSION:
		for (; n >= of->once_count; of++)
			n -= of->once_count;
		old = &of->once[n];
		of->make(s, old->seed, old->proxy);
		if (of == profiles)
			s->cfg[0].versions = MPTCP_VERSION_BIT(1); /* what they failed in */
		snprintf(name, room, "--profile %s --mode %s --seed %llu (once: %s)", of->name,
			 old->proxy ? "proxy" : "engine", (unsigned long long)old->seed, old->what);
		break;
	case ENGINE:
	case PROXY:
		profile->make(s, j->number, j->kind == PROXY);
		snprintf(name, room, "--profile %s --mode %s --seed %llu", profile->name,
			 j->kind == PROXY ? "proxy" : "engine", (unsigned long long)j->number);
		break;
	}
}

/* Under valgrind all takes longer: the unit tests' own variable counts here, too. */
static unsigned patience(void)
{
	const char *times = getenv("CK_TIMEOUT_MULTIPLIER");
	double factor = times ? strtod(times, NULL) : 1;

	return (unsigned)(SEED_SECONDS * (factor >= 1 && factor <= 1000 ? factor : 1));
}

static bool run_job(const struct job *j, struct result *res)
{
	static struct scenario s;
	char name[200];
	struct result again;

	make(j, &s, name, sizeof(name));
	alarm(patience());
	scenario_run(&s, verbose, pcap, res);
	/* The same once more must be the same to the bit. */
	if (!res->failed && (j->kind == ENGINE || j->kind == PROXY) && j->number % 50 == 0) {
		scenario_run(&s, false, NULL, &again);
		if (again.hash != res->hash) {
			res->failed = true;
			snprintf(res->reason, sizeof(res->reason), "two runs differ");
		}
	}
	alarm(0);
	if (!res->failed) {
		if (hashes)
			printf("%016llx %s\n", (unsigned long long)res->hash, name);
		if (verbose)
			printf("ok %s: %llu events, %.3f s\n", name,
			       (unsigned long long)res->events, (double)res->end_us / 1e6);
		return true;
	}
	printf("FAILED %s: %s\n", name, res->reason);
	if (!s.name)
		scenario_print(&s, stdout);
	fflush(stdout);
	return false;
}

/* Works on every `jobs`-th piece from sh->next on. */
static void work(struct shard *sh, unsigned jobs)
{
	struct result res;
	struct job j;

	for (; job_at(sh->next, &j); sh->next += jobs) {
		if (run_job(&j, &res))
			sh->passed++;
		else
			sh->failed++;
		sh->events += res.events;
		sh->fallbacks += res.fallbacks;
		sh->resets += res.resets;
	}
}

static int run_all(unsigned jobs)
{
	struct shard *sh = mmap(NULL, jobs * sizeof(*sh), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t passed = 0, failed = 0, events = 0, fallbacks = 0, resets = 0;
	unsigned running = 0;
	static pid_t pids[JOBS_MAX];

	if (sh == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	for (unsigned i = 0; i < jobs; i++)
		sh[i].next = i;
	for (unsigned i = 0; i < jobs || running;) {
		unsigned k = i;
		int status;
		pid_t pid;

		if (i == jobs) {
			pid = wait(&status);
			for (k = 0; k < jobs && pids[k] != pid; k++)
				;
			if (k == jobs)
				continue;
			running--;
			if (WIFEXITED(status) && !WEXITSTATUS(status))
				continue;
			/* It crashed: note that, and go on behind. */
			struct scenario s;
			char name[200];
			struct job j;

			if (job_at(sh[k].next, &j)) {
				make(&j, &s, name, sizeof(name));
				printf("FAILED %s: %s %d\n", name,
				       WIFSIGNALED(status) ? "killed by signal" : "exit status",
				       WIFSIGNALED(status) ? WTERMSIG(status) :
							     WEXITSTATUS(status));
				if (!s.name)
					scenario_print(&s, stdout);
			}
			sh[k].failed++;
			sh[k].next += jobs;
		} else {
			i++;
		}
		fflush(stdout);
		pids[k] = fork();
		if (!pids[k]) {
			work(&sh[k], jobs);
			fflush(stdout);
			/* With an exit handler a sanitizer also looks for leaks. */
			exit(0);
		}
		running++;
	}
	for (unsigned i = 0; i < jobs; i++) {
		passed += sh[i].passed;
		failed += sh[i].failed;
		events += sh[i].events;
		fallbacks += sh[i].fallbacks;
		resets += sh[i].resets;
	}
	printf("%llu passed, %llu failed (%llu events, %llu fallbacks, %llu resets)\n",
	       (unsigned long long)passed, (unsigned long long)failed,
	       (unsigned long long)events, (unsigned long long)fallbacks,
	       (unsigned long long)resets);
	return failed ? 1 : 0;
}

static int usage(const char *self)
{
	fprintf(stderr,
		"usage: %s [--mode engine|proxy|all|directed] [--seeds N] [--first SEED]\n"
		"       [--profile PROFILE] [--jobs N] [--hashes]\n"
		"       %s --mode engine|proxy --seed SEED [--profile PROFILE] [-v]\n"
		"       [--pcap FILE]\n"
		"       %s --scenario NAME [--v0] [-v] [--pcap FILE]\n"
		"       %s --list\n"
		"Seeds of the profile `middlebox' have two faults of middleboxes on each path, and loss;\n"
		"of `any', the default, one in ten has one.  In `mute', all that one side sends is\n"
		"lost for 0.5 to 3 seconds.\n", self, self, self, self);
	return 2;
}

static int run_single(const struct job *j)
{
	struct scenario s;
	struct result res;
	char name[200];

	if (verbose) {
		make(j, &s, name, sizeof(name));
		scenario_print(&s, stdout);
	}
	if (!run_job(j, &res))
		return 1;
	printf("1 passed, 0 failed\n");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "profile", required_argument, NULL, 'P' },
		{ "first", required_argument, NULL, 'f' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "seed", required_argument, NULL, 's' },
		{ "scenario", required_argument, NULL, 'S' },
		{ "v0", no_argument, NULL, '0' },
		{ "pcap", required_argument, NULL, 'p' },
		{ "list", no_argument, NULL, 'l' },
		{ "hashes", no_argument, NULL, 'H' },
		{ NULL, 0, NULL, 0 },
	};
	const char *scenario = NULL;
	unsigned jobs = 2;
	bool one = false, list = false, v0 = false;
	uint64_t seed = 0;
	struct job j;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "vj:", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			run_engine = !strcmp(optarg, "engine") || !strcmp(optarg, "all");
			run_proxy = !strcmp(optarg, "proxy") || !strcmp(optarg, "all");
			run_directed = !strcmp(optarg, "directed") || !strcmp(optarg, "all");
			if (!run_engine && !run_proxy && !run_directed)
				return usage(argv[0]);
			break;
		case 'P':
			profile = NULL;
			for (size_t i = 0; i < LENGTH(profiles); i++)
				if (!strcmp(optarg, profiles[i].name))
					profile = &profiles[i];
			if (!profile)
				return usage(argv[0]);
			break;
		case 'n':
			seed_count = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			first_seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			jobs = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 's':
			one = true;
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			scenario = optarg;
			break;
		case '0':
			v0 = true;
			break;
		case 'p':
			pcap = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'H':
			hashes = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind < argc || !jobs || jobs > JOBS_MAX)
		return usage(argv[0]);
	while (directed_at(directed_total))
		directed_total++;

	if (list) {
		for (uint64_t n = 0; directed_at(n); n++)
			puts(directed_at(n)->name);
		return 0;
	}
	if (scenario) {
		for (uint64_t n = 0; directed_at(n); n++) {
			if (!strcmp(directed_at(n)->name, scenario)) {
				j = (struct job){ v0 ? DIRECTED_V0 : DIRECTED, n };
				return run_single(&j);
			}
		}
		fprintf(stderr, "%s: no scenario %s (see --list)\n", argv[0], scenario);
		return 2;
	}
	if (one) {
		if (run_engine && run_proxy)
			return usage(argv[0]);
		j = (struct job){ run_proxy ? PROXY : ENGINE, seed };
		return run_single(&j);
	}
	return run_all(jobs);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main() for fuzz targets in builds without libFuzzer: feeds files to
 * LLVMFuzzerTestOneInput(), one call each.
 *
 * Without arguments, fuzz_NAME replays $srcdir/tests/fuzz/corpus-NAME; otherwise
 * the named files and directories.  Then the same inputs again, cut short and
 * with single bits flipped in a fixed sequence, so that a corpus of a few good
 * inputs also visits the error paths; 1/UNIT_ROUNDS_DIVISOR as often, where the
 * environment has that, as for the unit tests.  Reports in the form "N passed, N
 * failed"; a target that is wrong aborts.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUTATIONS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned mutations = MUTATIONS;
static unsigned files_passed, files_failed;
static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* The target gets a block of its exact size, so that reads past it are seen. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size + 1);
	FILE *f = fopen(path, "rb");

	if (!data || !f || fread(data, 1, size, f) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		files_failed++;
		goto out;
	}
	run(data, size);
	for (unsigned i = 0; size && i < mutations; i++) {
		size_t at = next_random() % size;
		uint8_t old = data[at];

		run(data, at);
		data[at] ^= (uint8_t)(1u << (next_random() % 8));
		run(data, size);
		data[at] = old;
	}
	files_passed++;
out:
	if (f)
		fclose(f);
	free(data);
}

static void replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(path, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		files_failed++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char child[4096];

		if (names[i]->d_name[0] != '.' &&
		    snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name) <
		    (int)sizeof(child))
			replay(child);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	const char *text = getenv("UNIT_ROUNDS_DIVISOR");
	unsigned long divisor = text ? strtoul(text, NULL, 10) : 1;

	if (divisor > 1)
		mutations /= (unsigned)(divisor < MUTATIONS ? divisor : MUTATIONS);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			replay(argv[i]);
	} else {
		const char *base = strrchr(argv[0], '/'), *srcdir = getenv("srcdir"), *name;
		char path[4096];

		base = base ? base + 1 : argv[0];
		name = strchr(base, '_');
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus-%s", srcdir ? srcdir : ".",
			 name ? name + 1 : base);
		replay(path);
	}
	if (!files_passed && !files_failed) {
		fprintf(stderr, "no input found\n");
		files_failed++;
	}
	printf("%u passed, %u failed\n", files_passed, files_failed);
	return files_failed != 0;
}

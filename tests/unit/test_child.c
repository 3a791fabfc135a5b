// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running other programs: exit status, input, errors on one line, programs that are not
 * there.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/child.h"

START_TEST(status)
{
	char err[64];

	ck_assert_int_eq(child_run((const char *const[]){ "true", NULL }, NULL, err, 64), 0);
	ck_assert_int_eq(child_run((const char *const[]){ "false", NULL }, NULL, err, 64), -EIO);
	ck_assert_str_eq(err, "failed with status 1");
	ck_assert_int_eq(child_run((const char *const[]){ "sh", "-c", "kill -9 $$", NULL }, NULL,
				   err, 64), -EIO);
	ck_assert_str_eq(err, "failed with status 137");
}
END_TEST

START_TEST(missing)
{
	char err[64];

	ck_assert_int_eq(child_run((const char *const[]){ "no-such-program", NULL }, "x", err, 64),
			 -ENOENT);
	ck_assert_str_eq(err, "not found");
}
END_TEST

START_TEST(input)
{
	size_t len = 1 << 20;
	char *text = malloc(len + 1), err[64];

	/* More than a pipe holds. */
	memset(text, 'x', len);
	text[len] = '\0';
	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "test $(wc -c) = 1048576", NULL }, text, err, 64), 0);
	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "test $(wc -c) = 0", NULL }, NULL, err, 64), 0);
	free(text);
}
END_TEST

START_TEST(errors)
{
	char err[16];

	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "echo out; printf '\\n a \\n\\t b\\n\\n' >&2; exit 1", NULL }, NULL,
		err, sizeof(err)), -EIO);
	ck_assert_str_eq(err, "a b");
	/* Cut to the room there is. */
	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "echo 0123456789abcdefghi >&2; exit 1", NULL }, NULL, err,
		sizeof(err)), -EIO);
	ck_assert_str_eq(err, "0123456789abcde");
}
END_TEST

START_TEST(environment)
{
	char err[256];

	ck_assert_int_eq(setenv("HOSTILE", "1", 1), 0);
	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "test -z \"$HOSTILE\"", NULL }, NULL, err, sizeof(err)), 0);
}
END_TEST

/* ---- the helper ----------------------------------------------------------------- */

/* Tells by its status what it is fed and whose child it is. */
static const char *const helped[] = {
	"sh", "-c", "read a && echo \"$a $PPID\" >&2; exit 1", NULL
};

START_TEST(helper_runs)
{
	char err[64], mine[64];

	snprintf(mine, sizeof(mine), "text %d", (int)getpid());
	ck_assert_int_eq(child_run(helped, "text\n", err, sizeof(err)), -EIO);
	ck_assert_str_eq(err, mine);

	ck_assert_int_eq(child_helper_start(helped), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(child_run(helped, "text\n", err, sizeof(err)), -EIO);
		ck_assert_str_ne(err, mine);
		ck_assert_int_eq(strncmp(err, "text ", 5), 0);
	}
	/* Other commands are not its business. */
	ck_assert_int_eq(child_run((const char *const[]){
		"sh", "-c", "echo $PPID >&2; exit 1", NULL }, NULL, err, sizeof(err)), -EIO);
	ck_assert_str_eq(err, mine + 5);
	child_helper_stop();
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(child_run(helped, "text\n", err, sizeof(err)), -EIO);
	ck_assert_str_eq(err, mine);
}
END_TEST

START_TEST(helper_reports)
{
	static const char *const missing_command[] = { "no-such-program", NULL };
	static const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
	char err[64];

	ck_assert_int_eq(child_helper_start(missing_command), 0);
	ck_assert_int_eq(child_run(missing_command, NULL, err, sizeof(err)), -ENOENT);
	ck_assert_str_eq(err, "not found");
	child_helper_stop();

	ck_assert_int_eq(child_helper_start(killed), 0);
	ck_assert_int_eq(child_run(killed, NULL, err, sizeof(err)), -EIO);
	ck_assert_str_eq(err, "failed with status 137");
	child_helper_stop();
}
END_TEST

/* What reaches the whole group, at a terminal or from systemd, is not for the helper; but if
 * it is gone, that is told, and nothing else is run in its place. */
START_TEST(helper_lives_and_dies)
{
	static const char *const kills[] = { "sh", "-c", "kill -$(cat) $PPID; sleep 0.1", NULL };
	char err[64];

	ck_assert_int_eq(child_helper_start(kills), 0);
	ck_assert_int_eq(child_run(kills, "TERM", err, sizeof(err)), 0);
	ck_assert_int_eq(child_run(kills, "INT", err, sizeof(err)), 0);
	ck_assert_int_eq(child_run(kills, "HUP", err, sizeof(err)), 0);
	ck_assert_int_eq(child_run(kills, "KILL", err, sizeof(err)), -EPIPE);
	ck_assert_int_eq(child_run(kills, "TERM", err, sizeof(err)), -EPIPE);
	ck_assert_str_eq(err, "the process that runs it is gone");
	child_helper_stop();
}
END_TEST

UNIT_MAIN("daemon/child", status, missing, input, errors, environment, helper_runs,
	  helper_reports, helper_lives_and_dies)

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running other programs: exit status, input, errors on one line, programs that are not
 * there.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

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

UNIT_MAIN("daemon/child", status, missing, input, errors, environment)

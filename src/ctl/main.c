/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mptcp-proxyctl: asks a running mptcp-proxyd over its control socket and shows the
 * answer, as tables for people or as the JSON that came (--json).
 *
 * Exit status: 0 done, 1 failed (no daemon, or it refused), 2 wrong usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_USAGE     2
#define DEFAULT_SOCKET "/run/mptcp-proxyd/control.sock"
/* A reload runs nft, which may take its time. */
#define ANSWER_SECONDS 30
#define ANSWER_BYTES   (64u << 20)

static const char *socket_path = DEFAULT_SOCKET;

/* ---- asking ------------------------------------------------------------------------ */

static int connect_daemon(void)
{
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(socket_path) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "mptcp-proxyctl: the socket's path is too long\n");
		return -1;
	}
	strcpy(addr.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		perror("mptcp-proxyctl: socket");
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr, "mptcp-proxyctl: mptcp-proxyd is not running (nobody listens on "
			"%s; -s names another socket)\n", socket_path);
		break;
	case EACCES:
		fprintf(stderr, "mptcp-proxyctl: no permission for %s: run as root, or as a "
			"member of its group\n", socket_path);
		break;
	default:
		fprintf(stderr, "mptcp-proxyctl: %s: %s\n", socket_path, strerror(errno));
	}
	close(fd);
	return -1;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One line; NULL with errno set, 0 when the daemon closed the connection. */
static char *read_line(int fd)
{
	size_t len = 0, size = 0;
	char *line = NULL, *bigger;

	for (;;) {
		ssize_t n;

		if (size - len < 4096) {
			size = size ? size * 2 : 65536;
			bigger = size <= ANSWER_BYTES ? realloc(line, size) : NULL;
			if (!bigger) {
				errno = ENOMEM;
				break;
			}
			line = bigger;
		}
		n = recv(fd, line + len, size - len - 1, 0);
		if (n <= 0) {
			errno = n ? errno : 0;
			break;
		}
		len += (size_t)n;
		if (line[len - 1] == '\n') {
			line[len - 1] = 0;
			return line;
		}
	}
	free(line);
	return NULL;
}

/* Sends `request`, whose reference it takes; the answer, or NULL after a message. */
static json_t *ask(int fd, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	const char *refusal;
	json_t *answer = NULL;
	json_error_t where;
	int err = -ENOMEM;

	json_decref(request);
	if (text)
		err = send_all(fd, text, strlen(text));
	if (!err)
		err = send_all(fd, "\n", 1);
	free(text);
	if (!err) {
		line = read_line(fd);
		err = line ? 0 : -errno;
		if (!line && !err) {
			fprintf(stderr, "mptcp-proxyctl: mptcp-proxyd closed the connection\n");
			return NULL;
		}
	}
	if (err) {
		fprintf(stderr, "mptcp-proxyctl: %s: %s\n", socket_path,
			err == -EAGAIN ? "mptcp-proxyd does not answer" : strerror(-err));
		return NULL;
	}
	answer = json_loads(line, 0, &where);
	free(line);
	if (!json_is_object(answer)) {
		fprintf(stderr, "mptcp-proxyctl: the answer cannot be understood\n");
		json_decref(answer);
		return NULL;
	}
	if (!json_is_true(json_object_get(answer, "ok"))) {
		refusal = json_string_value(json_object_get(answer, "error"));
		fprintf(stderr, "mptcp-proxyctl: %s\n", refusal ? refusal : "refused");
		json_decref(answer);
		return NULL;
	}
	json_object_del(answer, "ok");
	return answer;
}

/* ---- showing ----------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool flag_of(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

#define CELL_BYTES 64

static const char *bytes_text(char buf[CELL_BYTES], int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, CELL_BYTES, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return buf;
}

static const char *age_text(char buf[CELL_BYTES], int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 60)
		snprintf(buf, CELL_BYTES, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(buf, CELL_BYTES, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, CELL_BYTES, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, CELL_BYTES, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

static const char *rtt_text(char buf[CELL_BYTES], int64_t us)
{
	snprintf(buf, CELL_BYTES, us < 10000 ? "%.2f ms" : "%.0f ms", (double)us / 1000);
	return buf;
}

/* Cells of equal width per column; the header is the first row. */
struct table {
	size_t columns, rows, size;
	const char *const *heads;       /* "<" or ">" for the alignment, then the head */
	char (*cells)[CELL_BYTES];
};

static void table_add(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds the next cell. */
static void table_add(struct table *t, const char *fmt, ...)
{
	va_list ap;

	if (t->rows == t->size) {
		t->size = t->size ? t->size * 2 : 256;
		t->cells = reallocarray(t->cells, t->size, CELL_BYTES);
		if (!t->cells) {
			fprintf(stderr, "mptcp-proxyctl: out of memory\n");
			exit(EXIT_FAILURE);
		}
	}
	va_start(ap, fmt);
	vsnprintf(t->cells[t->rows++], CELL_BYTES, fmt, ap);
	va_end(ap);
}

static void table_row(const struct table *t, const size_t *widths, const char *(*cell)(
		      const struct table *, size_t row, size_t column), size_t row)
{
	char line[1024];
	size_t len = 0;

	for (size_t i = 0; i < t->columns && len < sizeof(line); i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len,
					t->heads[i][0] == '>' ? "%s%*s" : "%s%-*s", i ? "  " : "",
					(int)widths[i], cell(t, row, i));
	for (len = strlen(line); len && line[len - 1] == ' '; len--)
		line[len - 1] = 0;
	puts(line);
}

static const char *head_cell(const struct table *t, size_t row, size_t column)
{
	(void)row;
	return t->heads[column] + 1;
}

static const char *body_cell(const struct table *t, size_t row, size_t column)
{
	return t->cells[row * t->columns + column];
}

static void table_print(struct table *t)
{
	size_t widths[16] = { 0 };

	for (size_t i = 0; i < t->columns; i++)
		widths[i] = strlen(t->heads[i] + 1);
	for (size_t i = 0; i < t->rows; i++)
		if (strlen(t->cells[i]) > widths[i % t->columns])
			widths[i % t->columns] = strlen(t->cells[i]);
	table_row(t, widths, head_cell, 0);
	for (size_t i = 0; i < t->rows / t->columns; i++)
		table_row(t, widths, body_cell, i);
	free(t->cells);
}

static void show_status(const json_t *a)
{
	json_t *counters = json_object_get(a, "counters"), *value;
	json_t *workers = json_object_get(a, "connections_per_worker");
	size_t i;
	char used[CELL_BYTES], limit[CELL_BYTES], age[CELL_BYTES];
	const char *name;
	size_t widest = 0;
	bool any = false;

	printf("mptcp-proxyd %s, up %s%s\n", text_of(a, "version"),
	       age_text(age, number_of(a, "uptime_ms")),
	       flag_of(a, "draining") ? ", draining" : "");
	printf("connections  %" PRId64 " of %" PRId64, number_of(a, "connections"),
	       number_of(a, "max_connections"));
	if (json_array_size(workers) > 1)
		json_array_foreach(workers, i, value)
			printf("%s%" JSON_INTEGER_FORMAT, i ? " + " : ", by worker: ",
			       json_integer_value(value));
	printf("\n");
	printf("memory       %s of %s\n", bytes_text(used, number_of(a, "memory_bytes")),
	       bytes_text(limit, number_of(a, "memory_limit_bytes")));
	json_object_foreach(counters, name, value)
		if (json_integer_value(value) && strlen(name) > widest)
			widest = strlen(name);
	json_object_foreach(counters, name, value) {
		if (!json_integer_value(value))
			continue;
		if (!any)
			printf("\ncounters that are not zero:\n");
		any = true;
		printf("  %-*s  %" JSON_INTEGER_FORMAT "\n", (int)widest, name,
		       json_integer_value(value));
	}
}

static void show_counters(const json_t *a)
{
	json_t *counters = json_object_get(a, "counters"), *c;
	int widest = 0, digits = 0, n;
	const char *name;

	json_object_foreach(counters, name, c) {
		if ((int)strlen(name) > widest)
			widest = (int)strlen(name);
		n = snprintf(NULL, 0, "%" PRId64, number_of(c, "value"));
		if (n > digits)
			digits = n;
	}
	json_object_foreach(counters, name, c)
		printf("%-*s  %*" PRId64 "  %s\n", widest, name, digits, number_of(c, "value"),
		       text_of(c, "counts"));
}

static void show_connections(const json_t *a)
{
	static const char *const heads[] = {
		">ID", "<CLIENT", "<SERVER", "<SERVICE", "<STATE", "<MODE", ">PATHS", ">AGE",
		">TO SERVER", ">TO CLIENT",
	};
	struct table t = { .columns = 10, .heads = heads };
	const json_t *list = json_object_get(a, "connections"), *c;
	char buf[CELL_BYTES];
	size_t i;

	json_array_foreach(list, i, c) {
		table_add(&t, "%" PRId64, number_of(c, "id"));
		table_add(&t, "%s", text_of(c, "client"));
		table_add(&t, "%s", text_of(c, "server"));
		table_add(&t, "%s", text_of(c, "service"));
		table_add(&t, "%s", text_of(c, "state"));
		table_add(&t, "%s", text_of(c, "mode"));
		table_add(&t, "%zu", json_array_size(json_object_get(c, "subflows")));
		table_add(&t, "%s", age_text(buf, number_of(c, "age_ms")));
		table_add(&t, "%s", bytes_text(buf, number_of(c, "bytes_to_server")));
		table_add(&t, "%s", bytes_text(buf, number_of(c, "bytes_to_client")));
	}
	if (!json_array_size(list))
		printf("no connections\n");
	else
		table_print(&t);
}

/* Which addresses each side has told the other of. */
static void show_addresses(const json_t *c)
{
	static const char *const heads[] = { "<ADDRESS", "<BY", ">ID", "<STATE", "<FLAGS" };
	struct table t = { .columns = 5, .heads = heads };
	const json_t *ours = json_object_get(c, "announced"), *a;
	const json_t *theirs = json_object_get(c, "received");
	size_t i;

	if (!json_array_size(ours) && !json_array_size(theirs))
		return;
	json_array_foreach(ours, i, a) {
		table_add(&t, "%s", text_of(a, "address"));
		table_add(&t, "gateway");
		table_add(&t, "%" PRId64, number_of(a, "id"));
		table_add(&t, "%s", text_of(a, "state"));
		table_add(&t, "%s", flag_of(a, "backup") ? "backup" : "");
	}
	json_array_foreach(theirs, i, a) {
		table_add(&t, "%s", text_of(a, "address"));
		table_add(&t, "client");
		table_add(&t, "%" PRId64, number_of(a, "id"));
		table_add(&t, "received");
		table_add(&t, "%s", "");
	}
	printf("\n");
	table_print(&t);
}

static void show_connection(const json_t *a)
{
	static const char *const heads[] = {
		"<LOCAL", "<REMOTE", "<STATE", "<TCP", ">RTT", "<CC", ">CWND", ">MSS",
		">SENT", ">RECEIVED", ">RETRANSMITTED", "<FLAGS",
	};
	struct table t = { .columns = 12, .heads = heads };
	const json_t *c = json_object_get(a, "connection"), *sf;
	const json_t *list = json_object_get(c, "subflows");
	char buf[CELL_BYTES];
	size_t i;

	printf("connection  %" PRId64 "\n", number_of(c, "id"));
	printf("client      %s\n", text_of(c, "client"));
	printf("server      %s\n", text_of(c, "server"));
	printf("service     %s\n", text_of(c, "service"));
	printf("state       %s (MPTCP: %s)\n", text_of(c, "state"), text_of(c, "mptcp_state"));
	printf("mode        %s, version %" PRId64 "%s\n", text_of(c, "mode"),
	       number_of(c, "mptcp_version"), flag_of(c, "checksum") ? ", with checksums" : "");
	printf("scheduler   %s\n", text_of(c, "scheduler"));
	printf("age         %s\n", age_text(buf, number_of(c, "age_ms")));
	printf("to server   %s\n", bytes_text(buf, number_of(c, "bytes_to_server")));
	printf("to client   %s\n", bytes_text(buf, number_of(c, "bytes_to_client")));
	printf("reinjected  %s\n", bytes_text(buf, number_of(c, "bytes_reinjected")));
	printf("\n%s", json_array_size(list) ? "" : "no subflows\n");
	json_array_foreach(list, i, sf) {
		table_add(&t, "%s", text_of(sf, "local"));
		table_add(&t, "%s", text_of(sf, "remote"));
		table_add(&t, "%s", text_of(sf, "state"));
		table_add(&t, "%s", text_of(sf, "tcp_state"));
		table_add(&t, "%s", rtt_text(buf, number_of(sf, "srtt_us")));
		table_add(&t, "%s%s", text_of(sf, "congestion_control"),
			  flag_of(sf, "coupled") ? " coupled" : "");
		table_add(&t, "%s", bytes_text(buf, number_of(sf, "cwnd_bytes")));
		table_add(&t, "%" PRId64, number_of(sf, "mss"));
		table_add(&t, "%s", bytes_text(buf, number_of(sf, "bytes_sent")));
		table_add(&t, "%s", bytes_text(buf, number_of(sf, "bytes_received")));
		table_add(&t, "%s", bytes_text(buf, number_of(sf, "bytes_retransmitted")));
		table_add(&t, "%s%s%s", flag_of(sf, "join") ? "join" : "first",
			  flag_of(sf, "backup") ? " backup" : "",
			  flag_of(sf, "stale") ? " stale" : "");
	}
	if (json_array_size(list))
		table_print(&t);
	show_addresses(c);
}

static void show_endpoints(const json_t *answer)
{
	static const char *const heads[] = { "<NAME", "<ADDRESS", "<LOCAL", "<FLAGS" };
	struct table t = { .columns = 4, .heads = heads };
	const json_t *list = json_object_get(answer, "endpoints"), *e;
	size_t i;

	json_array_foreach(list, i, e) {
		table_add(&t, "%s", text_of(e, "name"));
		table_add(&t, "%s", text_of(e, "address"));
		table_add(&t, "%s", text_of(e, "local"));
		table_add(&t, "%s%s%s", flag_of(e, "backup") ? "backup" : "",
			  flag_of(e, "backup") && !flag_of(e, "present") ? " " : "",
			  flag_of(e, "present") ? "" : "gone");
	}
	if (!json_array_size(list))
		printf("no endpoints\n");
	else
		table_print(&t);
}

static void show_json(const json_t *answer)
{
	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* ---- commands ------------------------------------------------------------------------ */

/* All pages of the list in one answer. */
static json_t *ask_connections(int fd)
{
	json_t *all = json_array(), *page, *next;
	json_int_t offset = 0;

	for (;;) {
		page = ask(fd, json_pack("{s:s, s:I}", "command", "connections", "offset", offset));
		if (!page) {
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(page, "connections"));
		next = json_object_get(page, "next");
		if (!json_is_integer(next) || json_integer_value(next) <= offset)
			break;
		offset = json_integer_value(next);
		json_decref(page);
	}
	json_decref(page);
	return json_pack("{s:o}", "connections", all);
}

static void usage(FILE *out)
{
	fprintf(out,
		"usage: mptcp-proxyctl [-s SOCKET] [--json] COMMAND\n"
		"\n"
		"  status           version, load, counters that are not zero\n"
		"  counters         all counters, and what they count\n"
		"  connections      one line for each connection\n"
		"  connection ID    one connection and its paths\n"
		"  endpoints        addresses that clients are told of\n"
		"  reload           read the configuration again\n"
		"  drain            take no new connections; end with the last one\n"
		"\n"
		"  -s, --socket SOCKET  instead of " DEFAULT_SOCKET "\n"
		"  -j, --json           show the answer as JSON\n"
		"      --version        show the version, and end\n"
		"  -h, --help           show this, and end\n");
}

static int misuse(void)
{
	usage(stderr);
	return EXIT_USAGE;
}

/* The exit status once all was said. */
static int told(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "mptcp-proxyctl: cannot write the answer: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static int run(const char *command, json_int_t id, bool as_json)
{
	json_t *answer;
	int fd = connect_daemon();

	if (fd < 0)
		return EXIT_FAILURE;
	if (!strcmp(command, "connections"))
		answer = ask_connections(fd);
	else if (!strcmp(command, "connection"))
		answer = ask(fd, json_pack("{s:s, s:I}", "command", command, "id", id));
	else
		answer = ask(fd, json_pack("{s:s}", "command", command));
	close(fd);
	if (!answer)
		return EXIT_FAILURE;
	if (as_json)
		show_json(answer);
	else if (!strcmp(command, "counters"))
		show_counters(answer);
	else if (!strcmp(command, "status"))
		show_status(answer);
	else if (!strcmp(command, "connections"))
		show_connections(answer);
	else if (!strcmp(command, "connection"))
		show_connection(answer);
	else if (!strcmp(command, "endpoints"))
		show_endpoints(answer);
	else if (!strcmp(command, "drain"))
		printf("draining, connections that go on: %" PRId64 "\n",
		       number_of(answer, "connections"));
	else
		printf("reloaded\n");
	json_decref(answer);
	return told();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const commands[] = {
		"status", "counters", "connections", "connection", "endpoints", "reload", "drain"
	};
	bool as_json = false, known = false;
	json_int_t id = 0;
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, "s:jh", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			socket_path = optarg;
			break;
		case 'j':
			as_json = true;
			break;
		case 'V':
			printf("mptcp-proxyctl %s\n", PACKAGE_VERSION);
			return told();
		case 'h':
			usage(stdout);
			return told();
		default:
			return misuse();
		}
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc && i < sizeof(commands) / sizeof(commands[0]); i++)
		known = known || !strcmp(argv[0], commands[i]);
	if (!known) {
		if (argc)
			fprintf(stderr, "mptcp-proxyctl: there is no command %s\n", argv[0]);
		return misuse();
	}
	if (argc != (strcmp(argv[0], "connection") ? 1 : 2))
		return misuse();
	if (argc == 2) {
		errno = 0;
		id = strtoll(argv[1], &end, 10);
		if (errno || *end || end == argv[1] || id < 0) {
			fprintf(stderr, "mptcp-proxyctl: %s is not the ID of a connection\n",
				argv[1]);
			return misuse();
		}
	}
	return run(argv[0], id, as_json);
}

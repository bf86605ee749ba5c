/*
 * gnuplot as a process: the script goes in at one end, the picture comes out
 * at the other.  It cannot hang us: writing and reading wait for whichever is
 * ready, for a time that ends, and a reader that died is an error and no
 * signal.
 */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
	SECONDS = 60,		/* for one picture */
	LINGER = 5,		/* more of them, once it has closed its ends */
	MOST_OUT = 64 << 20,	/* bytes of a picture */
	MOST_SAID = 4096	/* bytes of messages that are kept */
};

struct process {
	pid_t pid;
	int in, out, said;	/* our ends; -1: closed */
	size_t written;
	struct rm_buf *to, message;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* theirs[3]: the ends that gnuplot has as 0, 1 and 2. */
static int spawn(struct process *p, int *theirs)
{
	char program[] = "gnuplot", settings[] = "-d", stream[] = "-";
	char *argv[] = { program, settings, stream, NULL };
	posix_spawn_file_actions_t actions;
	int error, i;

	error = posix_spawn_file_actions_init(&actions);
	for (i = 0; error == 0 && i < 3; i++)
		error = posix_spawn_file_actions_adddup2(&actions, theirs[i],
							 i);
	if (error == 0)
		error = posix_spawnp(&p->pid, program, &actions, NULL, argv,
				     environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		return rm_fail("pictures need gnuplot, which is not "
			       "installed (no gnuplot in PATH)");
	return error ? rm_fail("gnuplot: %s", strerror(error)) : 0;
}

/*
 * Above 2, so that giving them their places does not overwrite one of them
 * where we were started without standard streams.
 */
static int lift(int *fd)
{
	int high;

	if (*fd > 2)
		return 0;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		return -1;
	close(*fd);
	*fd = high;
	return 0;
}

static int start(struct process *p)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, said[2] = { -1, -1 };
	int theirs[3], i, status = -1;

	/* A socket, because writing to a dead one need not be a signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 ||
	    pipe2(out, O_CLOEXEC) < 0 || pipe2(said, O_CLOEXEC) < 0 ||
	    lift(&in[1]) < 0 || lift(&out[1]) < 0 || lift(&said[1]) < 0) {
		rm_fail("gnuplot: %s", strerror(errno));
	} else {
		theirs[0] = in[1];
		theirs[1] = out[1];
		theirs[2] = said[1];
		status = spawn(p, theirs);
	}
	p->in = in[0];
	p->out = out[0];
	p->said = said[0];
	shut(&in[1]);
	shut(&out[1]);
	shut(&said[1]);
	for (i = 0; status < 0 && i < 3; i++)
		shut(i == 0 ? &p->in : i == 1 ? &p->out : &p->said);
	return status;
}

static void write_some(struct process *p, const struct rm_buf *script)
{
	ssize_t n = send(p->in, script->data + p->written,
			 script->len - p->written,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		p->written += (size_t)n;
	/* A reader that is gone: its status and its words say why. */
	if (p->written == script->len ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		shut(&p->in);
}

static int read_some(int *fd, struct rm_buf *to, size_t most)
{
	unsigned char data[65536];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		shut(fd);
	if (n > 0 && to->len < most)
		rm_buf_append(to, data, RM_MIN((size_t)n, most - to->len));
	if (to->len >= MOST_OUT)
		return rm_fail("gnuplot wrote more than %d bytes", MOST_OUT);
	return to->failed ? -1 : 0;
}

static int exchange(struct process *p, const struct rm_buf *script)
{
	double end = now() + SECONDS;

	while (p->in >= 0 || p->out >= 0 || p->said >= 0) {
		struct pollfd f[] = {
			{ p->in, POLLOUT, 0 }, { p->out, POLLIN, 0 },
			{ p->said, POLLIN, 0 }
		};
		double left = end - now();

		if (left <= 0)
			return rm_fail("gnuplot did not end within %d seconds",
				       SECONDS);
		if (poll(f, 3, (int)(1000 * left) + 1) < 0 && errno != EINTR)
			return rm_fail("gnuplot: %s", strerror(errno));
		if (f[0].revents)
			write_some(p, script);
		if ((f[1].revents && read_some(&p->out, p->to, MOST_OUT) < 0) ||
		    (f[2].revents &&
		     read_some(&p->said, &p->message, MOST_SAID) < 0))
			return -1;
	}
	return 0;
}

/* What it said, on one line; how it ended where it said nothing. */
static int complain(struct process *p, int status)
{
	char *s = rm_buf_text(&p->message);
	size_t i, n = 0;

	for (i = 0; s && s[i]; i++) {
		char c = s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];

		if (c != ' ' || (n && s[n - 1] != ' '))
			s[n++] = c;
	}
	n -= n && s[n - 1] == ' ';
	if (s)
		s[n] = '\0';
	if (WIFSIGNALED(status))
		return rm_fail("gnuplot was ended by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status))
		return rm_fail("gnuplot failed (status %d): %s",
			       WEXITSTATUS(status), n ? s : "no message");
	return rm_fail("gnuplot drew nothing: %s", n ? s : "no message");
}

/*
 * How it ended.  Where signals of children are ignored, as some programs
 * leave it to those that they start, nobody is told: then what it wrote is
 * all there is to judge.
 */
static int reap(const struct process *p, int *status)
{
	double end = now() + LINGER;
	pid_t got;

	*status = 0;
	while ((got = waitpid(p->pid, status, WNOHANG)) == 0 ||
	       (got < 0 && errno == EINTR)) {
		if (now() < end) {
			poll(NULL, 0, 1);
			continue;
		}
		kill(p->pid, SIGKILL);
		waitpid(p->pid, status, 0);
		return rm_fail("gnuplot closed its output and did not end");
	}
	return 0;
}

int rm_gnuplot(const struct rm_buf *script, struct rm_buf *out)
{
	struct process p = { .to = out };
	size_t before = out->len;
	int status, failed;

	if (script->failed || start(&p) < 0)
		return -1;
	failed = exchange(&p, script);
	if (failed)
		kill(p.pid, SIGKILL);
	shut(&p.in);
	shut(&p.out);
	shut(&p.said);
	if (reap(&p, &status) < 0)
		failed = -1;
	else if (!failed && (!WIFEXITED(status) || WEXITSTATUS(status) ||
			out->len == before))
		failed = complain(&p, status);
	rm_buf_fini(&p.message);
	return failed;
}

#include "scores.h"

#include "io.h"
#include "plot.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The pictures of some scores, and of figures that are made up. */
struct made {
	struct rm_scores *scores;
	struct rm_figure accuracy;
	struct rm_best_of best;
	struct rm_report report;
	struct rm_plots plots;
};

static void make_from(struct made *m, struct rm_scores *s,
		      const struct rm_training_log *log)
{
	struct rm_plot_data data = { s, &m->report, log };

	m->scores = s;
	if (!m->report.metrics) {
		m->accuracy = (struct rm_figure){
			rm_metric_find("accuracy"), .7, .6, .8, .05,
			.1, .1
		};
		m->report.metrics = 1;
		m->report.figures = &m->accuracy;
	}
	m->report.n = s->n;
	m->report.best = &m->best;
	assert_int_equal(rm_scores_best_of(s, &m->best), 0);
	assert_int_equal(rm_plots_make(&m->plots, &data), 0);
}

static void make(struct made *m, const char *text, bool pairs)
{
	make_from(m, score_text(text, pairs, NULL), NULL);
}

static void fini(struct made *m)
{
	rm_plots_fini(&m->plots);
	rm_scores_free(m->scores);
	memset(m, 0, sizeof(*m));
}

static struct rm_plot *find(struct made *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->plots.n; i++)
		if (!strcmp(rm_plot_name(&m->plots.plot[i]), name))
			return &m->plots.plot[i];
	fail_msg("no picture %s", name);
	return NULL;
}

static void assert_has(struct rm_buf *text, const char *part)
{
	if (!strstr(rm_buf_text(text), part))
		fail_msg("no \"%s\" in:\n%s", part, rm_buf_text(text));
}

static void assert_absent(struct made *m, const char *name, const char *why)
{
	struct rm_plot *p = find(m, name);

	if (!p->absent)
		fail_msg("%s can be drawn", name);
	assert_string_equal(p->absent, why);
	assert_int_equal(p->script.len, 0);
}

/* ---- what the pictures show ---- */

static void test_reliability(void **state)
{
	struct made m = {0};
	struct rm_plot *p;

	(void)state;
	make(&m, "[{\"key\":1,\"rank\":[0,1],\"reward\":[2,0]},"
	     "{\"key\":2,\"rank\":[0,1],\"reward\":[2,0]},"
	     "{\"key\":3,\"rank\":[0,1],\"reward\":[0,2]}]", true);
	p = find(&m, "reliability");
	/* Two of three borne out: residuals 1/3, 1/3, -2/3 of three prompts,
	 * so a standard error of sqrt(6/9 * 3/2) / 3. */
	assert_has(&p->script, "$said << END\n"
		   " 0.11920292 0.33333333 0 0.98665466 0.15 3\n"
		   " 0.88079708 0.66666667 0.013345338 1 0.85 3\nEND\n");
	assert_has(&p->title, "3 comparisons");
	assert_null(strstr(rm_buf_text(&p->script), "$raw"));
	fini(&m);
	make(&m, "[{\"key\":1,\"rank\":[0,1],\"reward\":[2,0],\"prob\":0.66},"
	     "{\"key\":2,\"rank\":[0,1],\"reward\":[2,0],\"prob\":0.66}]",
	     true);
	p = find(&m, "reliability");
	/* All alike: the ends are Wilson's, of two prompts. */
	assert_has(&p->script, "$raw << END\n 0.11920292 0 0 0.65761977 "
		   "0.15 2\n 0.88079708 1 0.34238023 1 0.85 2\nEND\n");
	assert_has(&p->script, "$said << END\n 0.34 0 0 0.65761977 0.35 2\n"
		   " 0.66 1 0.34238023 1 0.65 2\nEND\n");
	fini(&m);
}

static void test_margins(void **state)
{
	struct made m = {0};
	struct rm_plot *p;

	(void)state;
	/* The third has its second response preferred; the last none. */
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]},"
	     "{\"rank\":[0,1],\"reward\":[1,4]},"
	     "{\"p\":0.2,\"rank\":[0,1],\"reward\":[0,1]},"
	     "{\"rank\":[0,1],\"reward\":[2,2]},"
	     "{\"p\":0.5,\"reward\":[5,0]}]", true);
	p = find(&m, "margins");
	assert_has(&p->title, "Margins of the preferred response: "
		   "4 comparisons");
	assert_has(&p->caption, "In 25.0 % of the comparisons the preferred "
		   "one is behind, left of zero; 25.0 % tie");
	assert_has(&p->script, "$bins << END\n -2.5 1 0\n -1.5 0 0\n "
		   "-0.5 0 0\n 0.5 1 0\n 1.5 1 0\n 2.5 1 0\nEND\n");
	p = find(&m, "rewards");
	assert_has(&p->script, "$bins << END\n 0.5 0 1\n 1.5 2 1\n 2.5 1 1\n"
		   " 3.5 1 0\n 4.5 0 1\n 5.5 0 0\nEND\n");
	fini(&m);
	/* Of a list every ordered pair, here (1, 0), (1, 2), (0, 2). */
	make(&m, "[{\"score\":[1,2,0],\"reward\":[2,8,5]}]", false);
	p = find(&m, "margins");
	assert_has(&p->title, "3 comparisons");
	assert_has(&p->caption, "In 33.3 %");
	fini(&m);
}

static void test_best_of_n(void **state)
{
	struct made m = {0};
	struct rm_plot *p;

	(void)state;
	make(&m, "[{\"score\":[1,0,2],\"reward\":[3,2,1]}]", false);
	p = find(&m, "best_of_n");
	assert_has(&p->script, "$reward << END\n 1 1 1 1\n"
		   " 2 0.66666667 0.66666667 0.66666667\n 3 1 1 1\nEND\n");
	assert_has(&p->script, "$oracle << END\n 1 1\n 2 1.6666667\n"
		   " 3 2\nEND\n");
	fini(&m);
	/* Equal rewards share their chance. */
	make(&m, "[{\"score\":[1,0,2],\"reward\":[1,1,0]},"
	     "{\"score\":[1,null,2],\"reward\":[1,1,0]}]", false);
	p = find(&m, "best_of_n");
	assert_has(&p->title, "1 record");
	assert_has(&p->script, "$reward << END\n 1 1 1 1\n"
		   " 2 0.5 0.5 0.5\n 3 0.5 0.5 0.5\nEND\n");
	fini(&m);
}

static void test_length(void **state)
{
	struct rm_buf text = {0};
	struct made m = {0};
	struct rm_plot *p;
	const char *dots, *end;
	size_t i, lines = 0;

	(void)state;
	for (i = 0; i < 1200; i++)
		rm_buf_printf(&text, "%c{\"rank\":[0,1],\"length\":[%zu,%zu],"
			      "\"reward\":[%zu,%zu]}", i ? ',' : '[', i, i,
			      i, i + 1);
	rm_buf_putc(&text, ']');
	make(&m, rm_buf_text(&text), true);
	p = find(&m, "length");
	assert_has(&p->caption, "a sample, 1500 of the responses");
	assert_has(&p->title, "2,400 responses");
	dots = strstr((char *)p->script.data, "$dots << END\n");
	assert_non_null(dots);
	end = strstr(dots, "\nEND\n");
	for (; dots < end; dots++)
		lines += *dots == '\n';
	assert_int_equal(lines, 1500);
	/* The first tenth: lengths 0 to 119, rewards half a point more. */
	assert_has(&p->script, "$means << END\n 59.5 60 ");
	assert_null(strstr((char *)p->script.data, "logscale"));
	fini(&m);
	rm_buf_fini(&text);
	/* Few that are much longer: powers of ten, and 0 is none. */
	make(&m, "[{\"rank\":[0,1],\"length\":[0,900],\"reward\":[1,2]},"
	     "{\"rank\":[0,1],\"length\":[1,1],\"reward\":[3,4]}]", true);
	p = find(&m, "length");
	assert_has(&p->script, "set logscale x\nset xrange [0.9:990]\n");
	assert_has(&p->script, "$dots << END\n 1 1\n 900 2\n 1 3\n 1 4\n");
	assert_has(&p->caption, "Empty responses stand at 1.");
	fini(&m);
}

static void test_subsets(void **state)
{
	enum { PARTS = 40 };
	struct rm_figure figure[PARTS];
	struct rm_report_part part[PARTS];
	struct made m = {0};
	char name[PARTS][16];
	struct rm_plot *p;
	size_t i;

	(void)state;
	for (i = 0; i < PARTS; i++) {
		snprintf(name[i], sizeof(name[i]), "part %zu", i);
		figure[i] = (struct rm_figure){
			rm_metric_find("accuracy"), .4 + .01 * (double)i,
			.3, NAN, NAN, NAN, NAN
		};
		part[i] = (struct rm_report_part){ name[i], 100 + i,
						   &figure[i] };
	}
	figure[0].value = NAN;
	m.report = (struct rm_report){ .by = "tag", .parts = PARTS,
				       .part = part };
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]}]", true);
	p = find(&m, "subsets");
	assert_has(&p->caption, "Of 39 the 30 with the most comparisons are "
		   "shown. 1 without comparisons have none.");
	assert_has(&p->script, "set ytics add ('part 39 (139)' 30)\n"
		   "set ytics add ('part 38 (138)' 29)\n");
	assert_has(&p->script, "$rows << END\n 79 30 30 NaN\n 78 29 30 NaN\n");
	assert_null(strstr((char *)p->script.data, "part 9 "));
	fini(&m);
}

/* ---- nothing to show ---- */

static void test_attack(void **state)
{
	struct rm_attacked row[] = {
		{ .eps = 0, .accuracy = { NULL, .75, .5, 1, .1 } },
		{ .eps = .25, .accuracy = { NULL, .5, NAN, NAN, NAN } }
	};
	json_t *spec = rm_json_parse("{\"name\": \"pgd\"}", 15);
	struct rm_attacks attacks = { .n = 2, .row = row, .spec = spec };
	struct made m = { .report.attacks = &attacks };
	struct rm_plot *p;

	(void)state;
	assert_non_null(spec);
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]}]", true);
	p = find(&m, "attack");
	assert_null(p->absent);
	assert_has(&p->title, "by pgd: 1 comparison");
	/* A value without an interval is its own. */
	assert_has(&p->script, "$attack << END\n 0 75 50 100\n"
		   " 0.25 50 50 50\nEND\n");
	fini(&m);
	row[0].accuracy.value = NAN;
	m.report.attacks = &attacks;
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]}]", true);
	assert_absent(&m, "attack", "no comparison has a preference");
	fini(&m);
	json_decref(spec);
}

static void test_absent(void **state)
{
	struct made m = {0};

	(void)state;
	make(&m, "[{\"rank\":[0,null],\"reward\":[3,1]}]", false);
	assert_absent(&m, "reliability", "no comparisons");
	assert_absent(&m, "rewards",
		      "no comparison has a preferred response");
	assert_absent(&m, "margins",
		      "no comparison has a preferred response");
	assert_absent(&m, "length", "no response has a length");
	assert_absent(&m, "subsets", "the data are of one part");
	assert_absent(&m, "best_of_n",
		      "no record of three or more labelled responses");
	assert_absent(&m, "training", "no --log was given");
	assert_absent(&m, "attack",
		      "no rewards under attack (rm-score --attack)");
	fini(&m);
	make(&m, "[{\"rank\":[0,1],\"reward\":[1,1],\"length\":[7,7]},"
	     "{\"rank\":[0,1],\"reward\":[1,1],\"length\":[7,7]}]", true);
	assert_absent(&m, "rewards", "all of them are equal");
	assert_absent(&m, "margins", "all of them are equal");
	assert_absent(&m, "length", "all lengths are equal");
	fini(&m);
	make(&m, "[{\"rank\":[0,1],\"reward\":[1e308,-1e308]}]", true);
	assert_absent(&m, "rewards",
		      "they lie too close together or too far apart to draw");
	fini(&m);
	make(&m, "[{\"rank\":[0,1],\"reward\":[1e16,1.0000000000000002e16]}]",
	     true);
	assert_absent(&m, "rewards",
		      "they lie too close together or too far apart to draw");
	fini(&m);
}

/* One comparison has points, and no interval to invent. */
static void test_one(void **state)
{
	struct made m = {0};

	(void)state;
	make(&m, "[{\"rank\":[0,1],\"reward\":[2,0],\"length\":[1,5]}]", true);
	assert_has(&find(&m, "reliability")->script,
		   "$said << END\n 0.11920292 0 0 0 0.15 1\n"
		   " 0.88079708 1 1 1 0.85 1\nEND\n");
	assert_absent(&m, "margins", "all of them are equal");
	assert_has(&find(&m, "length")->script,
		   "$means << END\n 1 2 2 2\n 5 0 0 0\nEND\n");
	fini(&m);
}

/* ---- hostile names ---- */

/* Outside of quotes a script has none of what runs other programs. */
static void assert_quoted(struct rm_buf *script)
{
	const char *s = rm_buf_text(script);
	bool quoted = false;

	for (; *s; s++) {
		if (*s == '\'')
			quoted = !quoted;
		else if (*s == '\n')
			assert_false(quoted);
		else if (!quoted && strchr("`!@|\"\\", *s))
			fail_msg("%c outside of quotes: %.40s", *s, s);
		else if (!quoted && !strncmp(s, "system", 6))
			fail_msg("system outside of quotes");
	}
	assert_false(quoted);
}

static const char *const hostile[] = {
	"'", "''", "' ; system('touch owned') ; '", "`touch owned`",
	"$(touch owned)", "\"q\" \\", "\\'", "@macro", "{/:Bold x}^2_3",
	"50 %d %s", "line\nset output 'owned'\nEND", "tab\tbell\a",
	"</svg><script>alert(1)</script>", " id='gpPt3' href=\"#x\" ",
	"<&>\"'", "\xe2\x80\xae" "back", "h\xc3\xa4rd \xe6\x97\xa5", ""
};

static void name_parts(struct made *m, struct rm_report_part *part,
		       struct rm_figure *figure)
{
	size_t i;

	for (i = 0; i < RM_COUNT(hostile); i++) {
		figure[i] = (struct rm_figure){
			rm_metric_find("accuracy"), .5, .4, .6, NAN,
			NAN, NAN
		};
		part[i] = (struct rm_report_part){ hostile[i], 10,
						   &figure[i] };
	}
	m->report = (struct rm_report){
		.by = hostile[2], .parts = RM_COUNT(hostile), .part = part
	};
}

static void test_hostile(void **state)
{
	struct rm_report_part part[RM_COUNT(hostile)];
	struct rm_figure figure[RM_COUNT(hostile)];
	struct made m = {0};
	struct rm_plot *p;

	(void)state;
	name_parts(&m, part, figure);
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]}]", true);
	p = find(&m, "subsets");
	assert_quoted(&p->script);
	assert_has(&p->script, "('50 %%d %%s (10)' ");
	assert_has(&p->script, "('back (10)' ");
	assert_has(&p->script, "('`touch owned` (10)' ");
	assert_has(&p->script, "('\xe2\x80\x99 ; system(\xe2\x80\x99touch "
		   "owned\xe2\x80\x99) ;\xe2\x80\xa6 (10)' ");
	fini(&m);
}

/* ---- gnuplot ---- */

/* A folder that is gone when the program ends. */
static char folder[] = "/tmp/rm-plot-XXXXXX";

static void in_folder(struct rm_buf *path, const char *name)
{
	rm_buf_clear(path);
	rm_buf_printf(path, "%s/%s", folder, name);
	assert_non_null(rm_buf_text(path));
}

/* A gnuplot that does something else, found first. */
static void fake(const char *body)
{
	struct rm_buf path = {0};
	FILE *f;

	in_folder(&path, "gnuplot");
	f = fopen((char *)path.data, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	assert_int_equal(chmod((char *)path.data, 0755), 0);
	rm_buf_fini(&path);
}

static void assert_fails(const char *message)
{
	struct rm_buf script = {0}, out = {0};
	size_t i;

	/* More than a pipe holds. */
	for (i = 0; i < 100000; i++)
		rm_buf_puts(&script, "set grid\n");
	assert_int_equal(rm_gnuplot(&script, &out), -1);
	if (!strstr(rm_error(), message))
		fail_msg("not \"%s\": %s", message, rm_error());
	rm_buf_fini(&script);
	rm_buf_fini(&out);
}

static void test_process(void **state)
{
	char *path = strdup(getenv("PATH"));
	struct rm_buf other = {0};

	(void)state;
	rm_buf_printf(&other, "%s:/usr/bin:/bin", folder);
	setenv("PATH", rm_buf_text(&other), 1);
	fake("echo 'line 3: no such  thing' >&2; exit 3");
	assert_fails("gnuplot failed (status 3): line 3: no such thing");
	fake("exec cat > /dev/null");
	assert_fails("gnuplot drew nothing: no message");
	fake("kill -9 $$");
	assert_fails("gnuplot was ended by signal 9");
	/* Much is said on both pipes before anything is read. */
	fake("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; "
	     "cat > /dev/null; exit 1");
	assert_fails("gnuplot failed (status 1)");
	/* All its ends are closed, and it is still there. */
	fake("exec <&- >&- 2>&-; exec sleep 1000");
	assert_fails("gnuplot closed its output and did not end");
	setenv("PATH", "/nonexistent", 1);
	assert_fails("pictures need gnuplot, which is not installed");
	setenv("PATH", path, 1);
	free(path);
	rm_buf_fini(&other);
}

/* Nobody is told of the end of children; the picture is there. */
static void test_children_ignored(void **state)
{
	char *path = strdup(getenv("PATH"));
	struct rm_buf other = {0}, script = {0}, out = {0};

	(void)state;
	rm_buf_printf(&other, "%s:/usr/bin:/bin", folder);
	setenv("PATH", rm_buf_text(&other), 1);
	rm_buf_puts(&script, "a picture");
	fake("exec cat");
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(rm_gnuplot(&script, &out), 0);
	signal(SIGCHLD, SIG_DFL);
	assert_string_equal(rm_buf_text(&out), "a picture");
	setenv("PATH", path, 1);
	free(path);
	rm_buf_fini(&script);
	rm_buf_fini(&out);
	rm_buf_fini(&other);
}

/* What could run or fetch is taken into no page. */
static void test_refused(void **state)
{
	static const char *const bad[] = {
		"<script>", "<g onload=\"x\">", "<a href=\"#x\">",
		"<use xlink:href=\"http://x\"/>", "<image href=\"#x\"/>",
		"<use href=\""
	};
	char *path = strdup(getenv("PATH"));
	struct rm_buf other = {0}, body = {0};
	struct made m = {0};
	size_t i;

	(void)state;
	rm_buf_printf(&other, "%s:/usr/bin:/bin", folder);
	setenv("PATH", rm_buf_text(&other), 1);
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]}]", true);
	for (i = 0; i < RM_COUNT(bad); i++) {
		struct rm_plot_data data = { m.scores, &m.report, NULL };
		struct rm_plots plots;

		rm_buf_clear(&body);
		rm_buf_printf(&body, "cat > /dev/null; echo '<svg><desc></desc>"
			      "%s</svg>'", bad[i]);
		fake(rm_buf_text(&body));
		assert_int_equal(rm_plots_draw(&plots, &data, false), -1);
		if (!strstr(rm_error(), "gnuplot's SVG"))
			fail_msg("%s: %s", bad[i], rm_error());
		rm_plots_fini(&plots);
	}
	setenv("PATH", path, 1);
	free(path);
	fini(&m);
	rm_buf_fini(&body);
	rm_buf_fini(&other);
}

/* Twice the same bytes; names of hostile parts are text in the SVG. */
static void test_drawn(void **state)
{
	struct rm_report_part part[RM_COUNT(hostile)];
	struct rm_figure figure[RM_COUNT(hostile)];
	struct rm_plots a, b;
	struct made m = {0};
	struct rm_plot_data data;
	size_t i, drawn = 0;

	(void)state;
	name_parts(&m, part, figure);
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1],\"length\":[4,5]},"
	     "{\"rank\":[0,1],\"reward\":[1,1.5],\"length\":[4,9]}]", true);
	data = (struct rm_plot_data){ m.scores, &m.report, NULL };
	if (rm_plots_draw(&a, &data, true) < 0)
		fail_msg("%s", rm_error());
	assert_int_equal(rm_plots_draw(&b, &data, true), 0);
	for (i = 0; i < a.n; i++) {
		struct rm_plot *p = &a.plot[i], *q = &b.plot[i];

		if (p->absent)
			continue;
		drawn++;
		assert_int_equal(p->svg.len, q->svg.len);
		assert_memory_equal(p->svg.data, q->svg.data, p->svg.len);
		assert_int_equal(p->png.len, q->png.len);
		assert_memory_equal(p->png.data, q->png.data, p->png.len);
		assert_memory_equal(p->png.data, "\x89PNG", 4);
		assert_null(strstr(rm_buf_text(&p->page), "http"));
		assert_null(strstr(rm_buf_text(&p->page), "<script"));
		assert_null(strstr(rm_buf_text(&p->svg), "patchlevel"));
	}
	assert_int_equal(drawn, 5);
	assert_has(&find(&m, "subsets")->script, "touch owned");
	for (i = 0; i < a.n; i++)
		if (!strcmp(rm_plot_name(&a.plot[i]), "subsets"))
			assert_has(&a.plot[i].page, "&lt;/svg>&lt;script");
	assert_int_equal(access("owned", F_OK), -1);
	rm_plots_fini(&a);
	rm_plots_fini(&b);
	fini(&m);
}

/* ---- the log ---- */

static int load(struct rm_training_log *log, const char *text)
{
	struct rm_buf path = {0};
	int status;
	FILE *f;

	in_folder(&path, "log");
	f = fopen((char *)path.data, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	status = rm_training_log_load(log, (char *)path.data);
	rm_buf_fini(&path);
	return status;
}

static void refuse(const char *text, const char *message)
{
	struct rm_training_log log;

	assert_int_equal(load(&log, text), -1);
	if (!strstr(rm_error(), message))
		fail_msg("not \"%s\": %s", message, rm_error());
	rm_training_log_fini(&log);
}

static void test_log(void **state)
{
	struct rm_training_log log;
	struct made m = {0};

	(void)state;
	/* Resumed after step 10: what came later is written again. */
	assert_int_equal(load(&log,
		"{\"step\": 10, \"loss\": 0.7}\n"
		"{\"step\": 10, \"valid_loss\": 0.69, \"best\": true}\n"
		"{\"step\": 20, \"loss\": 0.6}\n"
		"{\"step\": 20, \"valid_loss\": 0.65, \"best\": true}\n"
		"{\"step\": 15, \"loss\": null}\n"
		"{\"step\": 20, \"loss\": 0.5}\n"
		"{\"step\": 20, \"valid_loss\": 0.71, \"best\": false}\n"), 0);
	assert_int_equal(log.loss.n, 2);
	assert_true(log.loss.y[1] == .5);
	assert_int_equal(log.valid.n, 2);
	assert_true(log.valid.y[1] == .71);
	make_from(&m, score_text("[{\"rank\":[0,1],\"reward\":[3,1]}]",
			       true, NULL),
		  &log);
	assert_has(&find(&m, "training")->script, "$loss << END\n 10 0.7\n"
		   " 20 0.5\nEND\n$valid << END\n 10 0.69\n 20 0.71\nEND\n");
	fini(&m);
	rm_training_log_fini(&log);
	refuse("", "no loss in 0 lines");
	refuse("{\"step\": 1}\n", "no loss in 1 lines");
	refuse("{\"step\": 1, \"loss\": \"x\"}\n",
	       "log: line 1: \"loss\" is not a number");
	refuse("{\"step\": 1, \"loss\": 1}\n{\"loss\": 1}\n", "log: line 2: ");
	refuse("[1]\n", "log: line 1: no JSON object");
	refuse("{\"step\": 1, \"lo", "log: line 1: ");
}

/* ---- saved ---- */

static void test_save(void **state)
{
	struct rm_buf path = {0}, file = {0};
	struct made m = {0};
	struct rm_plot_data data;
	struct rm_plots plots;

	(void)state;
	make(&m, "[{\"rank\":[0,1],\"reward\":[3,1]},"
	     "{\"rank\":[0,1],\"reward\":[1,2]}]", true);
	data = (struct rm_plot_data){ m.scores, &m.report, NULL };
	assert_int_equal(rm_plots_draw(&plots, &data, true), 0);
	in_folder(&path, "pictures");
	assert_int_equal(mkdir((char *)path.data, 0777), 0);
	in_folder(&path, "pictures/length.svg");
	assert_int_equal(rm_write_file((char *)path.data, "old", 3), 0);
	in_folder(&path, "pictures");
	assert_int_equal(rm_plots_save(&plots, (char *)path.data), 0);
	/* That of an older run would not be of these scores. */
	in_folder(&path, "pictures/length.svg");
	assert_int_equal(access((char *)path.data, F_OK), -1);
	in_folder(&path, "pictures/margins.svg");
	assert_int_equal(rm_read_file((char *)path.data, 1 << 20, &file), 0);
	assert_has(&file, "Margins of the preferred response");
	in_folder(&path, "absent/pictures");
	assert_int_equal(rm_plots_save(&plots, (char *)path.data), -1);
	assert_non_null(strstr(rm_error(), "absent/pictures: No such file"));
	rm_plots_fini(&plots);
	fini(&m);
	rm_buf_fini(&path);
	rm_buf_fini(&file);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reliability),
		cmocka_unit_test(test_margins),
		cmocka_unit_test(test_best_of_n),
		cmocka_unit_test(test_attack),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_subsets),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_children_ignored),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_drawn),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_save),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

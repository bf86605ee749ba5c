#include "test.h"

#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 64 };

/* Figures for every metric: value 0.5, interval [0.25, 0.75] for ratios. */
static size_t make_figures(struct rm_figure *f)
{
	const struct rm_metric_kind *const *m;
	size_t n = 0;

	for (m = rm_metrics(); *m; m++, n++) {
		f[n] = (struct rm_figure){
			.metric = *m, .value = .5, .low = NAN, .high = NAN
		};
		if ((*m)->unit == RM_UNIT_COUNT)
			f[n].value = 1234;
		if ((*m)->sums == 2) {
			f[n].low = .25;
			f[n].high = .75;
		}
	}
	return n;
}

static struct rm_figure *figure(struct rm_figure *f, const char *name)
{
	while (strcmp(f->metric->name, name) != 0)
		f++;
	return f;
}

/* A report with two parts and a history, everything borrowed. */
struct page {
	struct rm_figure all[METRICS], a[METRICS], b[METRICS];
	struct rm_report_part part[2];
	json_t *history;
	struct rm_report report;
	struct rm_buf out;
};

static struct page *new_page(void)
{
	struct page *p = calloc(1, sizeof(*p));

	p->history = json_pack("[{s:s, s:s, s:[s]}]", "tool", "rm-eval",
			       "version", "0", "argv", "x.scores");
	p->report = (struct rm_report){
		.input = "x.scores", .n = 1234567, .records = 1234567,
		.responses = 2469134, .clusters = 1000, .keyed = true,
		.length_unit = "characters", .figures = p->all,
		.by = "subset", .parts = 2, .part = p->part,
		.history = p->history
	};
	p->report.metrics = make_figures(p->all);
	make_figures(p->a);
	make_figures(p->b);
	p->part[0] = (struct rm_report_part){ "easy", 12, p->a };
	p->part[1] = (struct rm_report_part){ "h\xc3\xa4rd \"\\", 3, p->b };
	return p;
}

static const char *render(struct page *p, const char *format)
{
	rm_buf_clear(&p->out);
	assert_int_equal(rm_report_render(&p->report, format, &p->out), 0);
	return rm_buf_text(&p->out);
}

static void free_page(struct page *p)
{
	json_decref(p->history);
	rm_buf_fini(&p->out);
	free(p);
}

/* The longest line in characters. */
static size_t widest(const char *text)
{
	size_t width = 0, n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		width = RM_MAX(width, rm_utf8_count(text, n));
	}
	return width;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" in:\n%s", part, text);
}

static void test_text(void **state)
{
	struct page *p = new_page();
	const char *text = render(p, "text");

	(void)state;
	assert_true(widest(text) <= 80);
	assert_has(text, "Report on x.scores\n");
	assert_has(text, "1,234,567 comparisons, 1,234,567 records, "
		   "1,000 prompts");
	assert_has(text, "accuracy          50.0 %  [25.0, 75.0]");
	assert_has(text, "log_loss          0.5000  [0.250, 0.750]");
	assert_has(text, "ties               1,234  ");
	assert_has(text, "By subset\n");
	assert_has(text, "\n  easy           12    50.0 % [25.0, 75.0]   ");
	assert_has(text, "\n  h\xc3\xa4rd \"\\         3");
	assert_has(text, "\n  rm-eval x.scores\n");
	assert_lacks(text, "accuracy_macro");
	p->part[1].name = "a name much longer than what 80 columns have "
		"left for it";
	text = render(p, "text");
	assert_true(widest(text) == 80);
	assert_has(text, "\n  a name much longer than ~         3");
	p->report.grouped = true;
	assert_has(render(p, "text"), "accuracy_macro");
	free_page(p);
}

static void test_text_without(void **state)
{
	struct page *p = new_page();
	const char *text;

	(void)state;
	p->report.keyed = false;
	p->report.parts = 1;
	p->report.history = NULL;
	figure(p->all, "spearman")->value = NAN;
	figure(p->all, "accuracy")->low = NAN;
	figure(p->all, "accuracy")->high = NAN;
	text = render(p, "text");
	assert_true(widest(text) <= 80);
	assert_has(text, "prompts unknown (no key)");
	assert_has(text, "spearman             n/a  no group of three");
	assert_has(text, "accuracy          50.0 %                  ");
	assert_lacks(text, "By subset");
	assert_lacks(text, "Made by");
	free_page(p);
}

/* The plain words say what the figures say. */
static void test_findings(void **state)
{
	struct page *p = new_page();
	struct rm_figure *accuracy = figure(p->all, "accuracy");
	struct rm_figure *borne_out = figure(p->all, "borne_out");

	(void)state;
	assert_has(render(p, "text"), "Chance (50 %) lies within");
	*accuracy = (struct rm_figure){
		.metric = accuracy->metric, .value = .7, .low = .65, .high = .75
	};
	*borne_out = (struct rm_figure){
		.metric = borne_out->metric, .value = .7, .low = .65,
		.high = .75
	};
	figure(p->all, "confidence")->value = .9;
	figure(p->all, "longer_wins")->value = .6;
	figure(p->all, "length_corr")->value = .05;
	render(p, "text");
	assert_lacks(rm_buf_text(&p->out), "Chance (50 %)");
	assert_has(rm_buf_text(&p->out),
		   "90.0 % sure and 70.0 % borne out: overconfident;\n");
	assert_has(rm_buf_text(&p->out), "hardly depends on length");
	assert_has(rm_buf_text(&p->out),
		   "longer response is right 60.0 % of the time,\n"
		   "     the model 70.0 %.\n");
	assert_lacks(rm_buf_text(&p->out), "collapsed");
	figure(p->all, "confidence")->value = .6;
	figure(p->all, "longer_wins")->value = .3;
	figure(p->all, "length_corr")->value = -.5;
	figure(p->all, "ties")->value = .3 * 1234567;
	p->report.calibrated = true;
	render(p, "text");
	assert_has(rm_buf_text(&p->out), "underconfident.\n");
	assert_has(rm_buf_text(&p->out), "goes clearly with brevity");
	assert_has(rm_buf_text(&p->out),
		   "shorter response is right 70.0 % of the time,\n"
		   "     the model 70.0 %: not shown to know more");
	assert_has(rm_buf_text(&p->out), "30 % of the comparisons tie");
	*accuracy = (struct rm_figure){
		.metric = accuracy->metric, .value = .3, .low = .25, .high = .35
	};
	assert_has(render(p, "text"), "Worse than chance");
	free_page(p);
}

static void test_json(void **state)
{
	struct page *p = new_page();
	json_t *json, *part;
	const char *text;
	size_t m;

	(void)state;
	figure(p->all, "kendall")->value = NAN;
	figure(p->all, "accuracy")->value = 1;
	text = render(p, "json");
	json = rm_json_parse(text, strlen(text));
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "n")),
			 1234567);
	for (m = 0; rm_metrics()[m]; m++)
		assert_non_null(json_object_get(json, rm_metrics()[m]->name));
	assert_true(json_is_integer(json_object_get(json, "ties")));
	assert_true(json_is_null(json_object_get(json, "kendall")));
	assert_string_equal(json_string_value(json_object_get(
		json_object_get(json, "missing"), "kendall")),
		rm_metric_find("kendall")->absent);
	assert_int_equal(json_object_size(json_object_get(json, "missing")),
			 1);
	assert_int_equal(json_array_size(json_object_get(json,
							 "accuracy_ci")), 2);
	part = json_object_get(json_object_get(json, "subsets"),
			       "h\xc3\xa4rd \"\\");
	assert_int_equal(json_integer_value(json_object_get(part, "n")), 3);
	assert_true(json_real_value(json_object_get(part, "brier")) == .5);
	assert_true(json_equal(json_object_get(json, "history"),
			       p->history));
	json_decref(json);

	/* One metric, no parts, no history. */
	p->report.figures = figure(p->all, "auc");
	p->report.metrics = 1;
	p->report.parts = 0;
	p->report.by = NULL;
	p->report.history = NULL;
	text = render(p, "json");
	json = rm_json_parse(text, strlen(text));
	assert_non_null(json);
	assert_true(json_is_null(json_object_get(json, "by")));
	assert_int_equal(json_object_size(json_object_get(json, "subsets")),
			 0);
	assert_null(json_object_get(json, "history"));
	assert_null(json_object_get(json, "accuracy"));
	json_decref(json);
	free_page(p);
}

static void test_tsv(void **state)
{
	struct page *p = new_page();
	const char *text;

	(void)state;
	p->part[0].name = "a\tb";
	figure(p->all, "kendall")->value = NAN;
	text = render(p, "tsv");
	assert_memory_equal(text, "subset\tmetric\tvalue\tlow\thigh\n", 29);
	assert_has(text, "\n*\tn\t1234567\t\t\n");
	assert_has(text, "\n*\taccuracy\t0.5\t0.25\t0.75\n");
	assert_has(text, "\n*\tkendall\t\t0.25\t0.75\n");
	assert_has(text, "\na b\tauc\t0.5\t\t\n");
	assert_int_equal(rm_report_render(&p->report, "pdf", &p->out), -1);
	assert_string_equal(rm_error(), "unknown format \"pdf\" (there are "
			    "text, json, tsv, html, prometheus, rewardbench)");
	free_page(p);
}

/* How often it is there. */
static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

static void test_html(void **state)
{
	static const struct rm_report_picture pictures[] = {
		{ "margins", RM_PLACE_PAIRS, NULL, "t", "all < 1 & more",
		  "<svg><title>t</title></svg>\n" },
		{ "length", RM_PLACE_BIAS, "no <length>", NULL, NULL, NULL },
		{ "training", RM_PLACE_TRAINING, "none", NULL, NULL, NULL }
	};
	struct page *p = new_page();
	const char *html;
	size_t m, n = 0;

	(void)state;
	p->report.input = "a<b>&\"'\x01.scores";
	p->part[1].name = "</td><script>x</script>";
	json_decref(p->history);
	p->history = json_pack("[{s:s, s:[s]}]", "tool", "<b>", "argv",
			       "</code>&");
	p->report.history = p->history;
	p->report.pictures = RM_COUNT(pictures);
	p->report.picture = pictures;
	html = render(p, "html");
	assert_has(html, "<title>Report on a&lt;b&gt;&amp;&quot;&#39;"
		   "\xef\xbf\xbd.scores</title>");
	assert_has(html, "1,234,567 comparisons, 1,234,567 records, "
		   "2,469,134 responses, 1,000 prompts");
	assert_has(html, "<bdi>&lt;/td&gt;&lt;script&gt;x&lt;/script&gt;"
		   "</bdi></th><td>3</td><td>50.0 %</td>"
		   "<td>[25.0, 75.0]</td>");
	assert_has(html, "<code>&lt;b&gt; &lt;/code&gt;&amp;</code>");
	assert_has(html, "<figcaption>all &lt; 1 &amp; more</figcaption>");
	assert_has(html, "No picture \xe2\x80\x9clength\xe2\x80\x9d: "
		   "no &lt;length&gt;.");
	assert_has(html, "Chance (50 %) lies within the interval");
	assert_int_equal(count(html, "<figure"), 1);
	assert_int_equal(count(html, "<script"), 0);
	assert_int_equal(count(html, "http:"), 0);
	assert_int_equal(count(html, "<table>"), count(html, "</table>"));
	assert_int_equal(count(html, "<tr>"), count(html, "</tr>"));
	assert_int_equal(count(html, "<section"), count(html, "</section>"));
	assert_lacks(html, "id=\"training\"");
	/* Every figure with its interval and its definition. */
	for (m = 0; rm_metrics()[m]; m++)
		n += strcmp(rm_metrics()[m]->name, "accuracy_macro") != 0;
	assert_int_equal(count(html, "<small>"), n);
	for (m = 0; rm_metrics()[m]; m++)
		if (strcmp(rm_metrics()[m]->name, "accuracy_macro") != 0)
			assert_has(html, rm_metrics()[m]->name);
	figure(p->all, "kendall")->value = NAN;
	html = render(p, "html");
	assert_has(html, "<bdi>kendall</bdi></th><td>n/a</td><td></td>");
	assert_has(html, figure(p->all, "kendall")->metric->absent);
	p->report.pictures = 0;
	p->report.parts = 0;
	html = render(p, "html");
	assert_lacks(html, "No picture");
	assert_lacks(html, "By subset");
	free_page(p);
}

/* Five rows: a page has n = 1, 2, 4 and the last. */
static void test_best_of_n(void **state)
{
	struct rm_best_of best = { .most = 5, .records = 1200 };
	struct page *p = new_page();
	json_t *json;
	const char *text;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		best.row[i].mean = (double)i + .5;
		best.row[i].low = i == 4 ? NAN : (double)i + .25;
		best.row[i].high = i == 4 ? NAN : (double)i + .75;
		best.row[i].best = i == 3 ? NAN : (double)i + 1;
	}
	p->report.best = &best;
	text = render(p, "text");
	assert_true(widest(text) <= 80);
	assert_has(text, "(1,200 records of 5 or more)\n");
	assert_has(text, "\n  2               1.5000  [1.250, 1.750]     2.0000"
		   "\n  4               3.5000  [3.250, 3.750]        n/a"
		   "\n  5               4.5000                     5.0000\n");
	assert_lacks(text, "\n  3     ");
	text = render(p, "json");
	json = rm_json_parse(text, strlen(text));
	assert_non_null(json);
	json_decref(json);
	assert_has(text, "{\"n\": 3, \"label\": 2.5, "
		   "\"label_ci\": [2.25, 2.75], \"best\": 3}");
	assert_has(text, "{\"n\": 5, \"label\": 4.5, "
		   "\"label_ci\": null, \"best\": 5}");
	text = render(p, "tsv");
	assert_has(text, "\n*\tbest_of_3\t2.5\t2.25\t2.75\n");
	assert_has(text, "\n*\tbest_of_5\t4.5\t\t\n");
	assert_has(render(p, "prometheus"),
		   "\nrmtools_best_of_n{n=\"3\"} 2.5\n");
	text = render(p, "html");
	assert_has(text, "best of 4");
	assert_lacks(text, "best of 3");
	/* Without lists there is no table. */
	best.most = 0;
	assert_lacks(render(p, "text"), "best of n by reward");
	assert_lacks(render(p, "json"), "best_of_n");
	free_page(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_without),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_tsv),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_best_of_n),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

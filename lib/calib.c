#include "calib/logistic.h"

#include <stdlib.h>
#include <string.h>

struct rm_calib {
	const struct kind *kind;
	bool pairs;
	size_t n;
	double parameter[RM_CALIB_PARAMETERS];
	/* Isotonic: where P changes; on pairs the half d >= 0. */
	size_t knots;
	double *x, *prob;
	const char *warning;
};

/* One method. */
struct kind {
	const char *name;
	const char *parameter[RM_CALIB_PARAMETERS + 1];	/* their names */
	const char *refusal;	/* why it is not for pairs, or NULL */
	int (*fit)(struct rm_calib *c, const struct rm_calib_data *data);
	double (*prob)(const struct rm_calib *c, double x);
	/* Whether parameters read from a file can be. */
	bool (*valid)(const struct rm_calib *c);
};

/* ---- what cannot be fitted ---- */

static int check_data(const struct rm_calib_data *data, bool pairs)
{
	double first = NAN, ones = 0, zeros = 0;
	bool varies = false;
	size_t i;

	for (i = 0; i < data->n; i++) {
		double w = rm_calib_weight(data, i);

		if (w == 0)
			continue;
		if (isnan(first))
			first = pairs ? 0 : data->x[i];
		varies |= data->x[i] != first;
		ones += w * data->p[i];
		zeros += w * (1 - data->p[i]);
	}
	if (isnan(first))
		return rm_fail("nothing to calibrate: no labels of weight "
			       "above 0");
	if (!varies)
		return rm_fail(pairs ? "every comparison ties (constant "
			       "rewards): nothing to calibrate" :
			       "all rewards are equal: nothing to calibrate");
	if (!pairs && (ones == 0 || zeros == 0))
		return rm_fail("all labels are %d: both classes are needed",
			       ones > 0);
	return 0;
}

/* sum w x (p - 1/2), the slope of the likelihood at a = 0: is it uphill? */
static int check_rises(const struct rm_calib_data *data)
{
	double slope = 0;
	size_t i;

	for (i = 0; i < data->n; i++)
		slope += rm_calib_weight(data, i) * data->x[i] *
			(data->p[i] - .5);
	if (slope > 0)
		return 0;
	return rm_fail("rewards do not rise with the labels (no better than "
		       "chance): no positive temperature fits");
}

/* ---- temperature: P = sigmoid(x / T) (Guo et al. 2017) ---- */

/* Hard labels, all of them right: the smaller T, the better. */
static bool is_separated(const struct rm_calib_data *data)
{
	size_t i;

	for (i = 0; i < data->n; i++)
		if (rm_calib_weight(data, i) > 0 && data->x[i] != 0 &&
		    data->p[i] != (data->x[i] > 0))
			return false;
	return true;
}

static void line(double x, double *f)
{
	f[0] = x;
}

static int fit_temperature(struct rm_calib *c,
			   const struct rm_calib_data *data)
{
	struct rm_logistic l = { .data = data, .k = 1, .features = line,
			      .high = 1 };
	double slope;
	int found = 0;

	if (check_rises(data) < 0)
		return -1;
	rm_logistic_scale(&l, false);
	if (!is_separated(data))
		found = rm_logistic_fit(&l);
	if (found == 0) {
		rm_logistic_smooth(&l, c->pairs);
		found = rm_logistic_fit(&l);
		c->warning = "the rewards are right on every comparison, so "
			"no temperature is too small; it is bounded by "
			"Platt's targets, as if a little were unknown";
	}
	if (found < 0)
		return -1;
	rm_logistic_unscale(&l, false, &slope);
	if (!found || !(slope > 0) || !isfinite(1 / slope))
		return rm_fail("no temperature fits these rewards");
	c->parameter[0] = 1 / slope;
	return 0;
}

static double prob_temperature(const struct rm_calib *c, double x)
{
	return rm_sigmoid(x / c->parameter[0]);
}

static bool valid_temperature(const struct rm_calib *c)
{
	return c->parameter[0] > 0;
}

/* ---- platt: P = sigmoid(a x + b) (Platt 1999) ---- */

static void line_and_one(double x, double *f)
{
	f[0] = x;
	f[1] = 1;
}

static int fit_platt(struct rm_calib *c, const struct rm_calib_data *data)
{
	struct rm_logistic l = { .data = data, .k = 2,
			      .features = line_and_one };
	int found;

	rm_logistic_scale(&l, true);
	rm_logistic_smooth(&l, false);
	found = rm_logistic_fit(&l);
	if (found <= 0)
		return found < 0 ? -1 : rm_fail("no line fits these rewards");
	rm_logistic_unscale(&l, true, c->parameter);
	if (c->parameter[0] < 0)
		c->warning = "the slope is negative: higher rewards have "
			"lower labels here";
	return 0;
}

static double prob_platt(const struct rm_calib *c, double x)
{
	return rm_sigmoid(c->parameter[0] * x + c->parameter[1]);
}

/* ---- beta (Kull, Silva Filho & Flach 2017) ---- */

/*
 * P = sigmoid(a log s - b log(1 - s) + c), s = sigmoid(x), a, b >= 0.  With
 * -log s = softplus(-x) and -log(1 - s) = softplus(x) nothing overflows.
 */
static void both_logs(double x, double *f)
{
	f[0] = -rm_softplus(-x);
	f[1] = rm_softplus(x);
	f[2] = 1;
}

static void first_log(double x, double *f)
{
	f[0] = -rm_softplus(-x);
	f[1] = 1;
}

static void second_log(double x, double *f)
{
	f[0] = rm_softplus(x);
	f[1] = 1;
}

/* By maximum likelihood, or Platt's targets where that has no maximum. */
static int fit_features(struct rm_calib *c, const struct rm_calib_data *data,
			void (*features)(double, double *), size_t k,
			double *out)
{
	struct rm_logistic l = { .data = data, .k = k, .features = features,
			      .high = 1 };
	int found;

	rm_logistic_scale(&l, true);
	found = rm_logistic_fit(&l);
	if (found == 0) {
		rm_logistic_smooth(&l, false);
		found = rm_logistic_fit(&l);
		c->warning = "rewards separate the labels; the fit is bounded "
			"by Platt's targets, as if a little were unknown";
	}
	if (found <= 0)
		return found < 0 ? -1 : rm_fail("no beta curve fits these "
						"rewards");
	rm_logistic_unscale(&l, true, out);
	return 0;
}

/*
 * On pairs (d, p) and (-d, 1 - p) the likelihood is the same with a and b
 * swapped and c negated, and it is concave: at its maximum a = b and c = 0,
 * where log s - log(1 - s) = d makes it temperature, a = 1 / T.
 */
static int fit_beta_pairs(struct rm_calib *c, const struct rm_calib_data *data)
{
	if (fit_temperature(c, data) < 0)
		return -1;
	c->parameter[0] = c->parameter[1] = 1 / c->parameter[0];
	c->parameter[2] = 0;
	if (!c->warning)
		c->warning = "on pairs, symmetry makes a = b and c = 0: beta "
			"is temperature there";
	return 0;
}

static int fit_beta(struct rm_calib *c, const struct rm_calib_data *data)
{
	double two[2];

	if (c->pairs)
		return fit_beta_pairs(c, data);
	if (fit_features(c, data, both_logs, 3, c->parameter) < 0)
		return -1;
	if (c->parameter[0] < 0) {
		if (fit_features(c, data, second_log, 2, two) < 0)
			return -1;
		memcpy(c->parameter, (double[3]){ 0, two[0], two[1] },
		       sizeof(c->parameter));
	} else if (c->parameter[1] < 0) {
		if (fit_features(c, data, first_log, 2, two) < 0)
			return -1;
		memcpy(c->parameter, (double[3]){ two[0], 0, two[1] },
		       sizeof(c->parameter));
	}
	if (c->parameter[0] < 0 || c->parameter[1] < 0)
		return rm_fail("rewards do not rise with the labels: no beta "
			       "curve fits");
	return 0;
}

static double prob_beta(const struct rm_calib *c, double x)
{
	return rm_sigmoid(-c->parameter[0] * rm_softplus(-x) +
		       c->parameter[1] * rm_softplus(x) + c->parameter[2]);
}

static bool valid_beta(const struct rm_calib *c)
{
	return c->parameter[0] >= 0 && c->parameter[1] >= 0;
}

/* ---- isotonic (Zadrozny & Elkan 2002) ---- */

/* A run of points pooled to one height. */
struct block {
	double first, last;	/* the range of x */
	double sum, weight;	/* height = sum / weight */
};

static double height(const struct block *b)
{
	return b->sum / b->weight;
}

/*
 * Pool adjacent violators: blocks rise from left to right.  Equal x begin as
 * one block.  point(i) is x[i] for i < n, on pairs also -x[i] with 1 - p.
 */
static size_t pool(const struct rm_calib_data *data, const double *x,
		   const struct rm_order *o, struct block *block)
{
	size_t j, end, i, n = 0;

	for (j = 0; j < o->n; j = end) {
		struct block b = { x[o->index[j]], x[o->index[j]], 0, 0 };

		end = rm_order_run(o, j);
		for (i = j; i < end; i++) {
			size_t at = o->index[i];
			bool mirrored = at >= data->n;
			size_t from = mirrored ? at - data->n : at;
			double w = rm_calib_weight(data, from);
			double p = data->p[from];

			b.sum += w * (mirrored ? 1 - p : p);
			b.weight += w;
		}
		if (b.weight == 0)
			continue;
		while (n > 0 && height(&block[n - 1]) >= height(&b)) {
			b.first = block[n - 1].first;
			b.sum += block[n - 1].sum;
			b.weight += block[n - 1].weight;
			n--;
		}
		block[n++] = b;
	}
	return n;
}

static void add_knot(struct rm_calib *c, double x, double prob, double edge)
{
	double least = c->pairs ? .5 : edge;

	if (c->pairs && x < 0)
		return;
	if (c->knots && c->x[c->knots - 1] == x)
		return;
	c->x[c->knots] = x;
	c->prob[c->knots++] = RM_MIN(RM_MAX(prob, least), 1 - edge);
}

/* Both ends of every block: P is level within one, straight between two. */
static int keep_knots(struct rm_calib *c, const struct block *block, size_t n)
{
	/* No certainty from n observations: the rule of succession. */
	double edge = 1 / ((double)c->n + 2);
	size_t i;

	c->x = rm_malloc(2 * n, sizeof(*c->x));
	c->prob = rm_malloc(2 * n, sizeof(*c->prob));
	if (!c->x || !c->prob)
		return -1;
	for (i = 0; i < n; i++) {
		add_knot(c, block[i].first, height(&block[i]), edge);
		add_knot(c, block[i].last, height(&block[i]), edge);
	}
	return 0;
}

/* The points' x, with their mirror images on pairs; NULL with a message. */
static double *isotonic_points(const struct rm_calib_data *data, bool pairs)
{
	double *x = rm_malloc(data->n * (pairs ? 2 : 1), sizeof(*x));
	size_t i;

	if (!x)
		return NULL;
	memcpy(x, data->x, data->n * sizeof(*x));
	for (i = 0; pairs && i < data->n; i++)
		x[data->n + i] = -data->x[i];
	return x;
}

static int fit_isotonic(struct rm_calib *c, const struct rm_calib_data *data)
{
	size_t n = data->n * (c->pairs ? 2 : 1), blocks;
	struct rm_order order = {0};
	struct block *block = NULL;
	double *x = isotonic_points(data, c->pairs);
	int status = -1;

	if (x && rm_order_init(&order, x, n) == 0)
		block = rm_malloc(n, sizeof(*block));
	if (block) {
		blocks = pool(data, x, &order, block);
		status = blocks < 2 ?
			rm_fail("rewards do not rise with the labels (no "
				"better than chance): isotonic is a level "
				"line") :
			keep_knots(c, block, blocks);
	}
	free(block);
	rm_order_fini(&order);
	free(x);
	return status;
}

/* Straight between knots, level outside; x in the half that is stored. */
static double between_knots(const struct rm_calib *c, double x)
{
	size_t low = 0, high = c->knots - 1, middle;

	if (c->pairs && x < c->x[0])
		return .5 + (c->prob[0] - .5) * x / c->x[0];
	if (x <= c->x[0])
		return c->prob[0];
	if (x >= c->x[high])
		return c->prob[high];
	while (high - low > 1) {
		middle = (low + high) / 2;
		if (c->x[middle] <= x)
			low = middle;
		else
			high = middle;
	}
	return c->prob[low] + (c->prob[high] - c->prob[low]) *
		((x - c->x[low]) / (c->x[high] - c->x[low]));
}

static double prob_isotonic(const struct rm_calib *c, double x)
{
	if (c->pairs && x < 0)
		return 1 - between_knots(c, -x);
	return between_knots(c, x);
}

static bool valid_isotonic(const struct rm_calib *c)
{
	size_t i;

	for (i = 0; i < c->knots; i++)
		if (!isfinite(c->x[i]) || !(c->prob[i] > 0) ||
		    !(c->prob[i] < 1) ||
		    (i && (c->x[i] <= c->x[i - 1] ||
			   c->prob[i] < c->prob[i - 1])))
			return false;
	return c->knots > 0 &&
		(!c->pairs || (c->x[0] >= 0 && c->prob[0] >= .5));
}

/* ---- the table ---- */

static bool valid_any(const struct rm_calib *c)
{
	(void)c;
	return true;
}

static const struct kind kinds[] = {
	{ "temperature", { "temperature" }, NULL, fit_temperature,
	  prob_temperature, valid_temperature },
	{ "platt", { "a", "b" },
	  "on pairs its offset is 0 by symmetry, so it equals temperature: "
	  "use --fit temperature (platt is for single responses with labels "
	  "in [0, 1])",
	  fit_platt, prob_platt, valid_any },
	{ "isotonic", { NULL }, NULL, fit_isotonic, prob_isotonic,
	  valid_isotonic },
	{ "beta", { "a", "b", "c" }, NULL, fit_beta, prob_beta, valid_beta },
};

const char *const rm_calib_methods[] = {
	"temperature", "platt", "isotonic", "beta", NULL
};

static const struct kind *find(const char *name)
{
	struct rm_buf names = {0};
	size_t i;

	for (i = 0; i < RM_COUNT(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	rm_join_names(&names, rm_calib_methods);
	rm_fail("unknown calibration method \"%s\" (there are %s)", name,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return NULL;
}

struct rm_calib *rm_calib_fit(const char *method, bool pairs,
			      const struct rm_calib_data *data)
{
	const struct kind *kind = find(method);
	struct rm_calib *c;

	if (!kind)
		return NULL;
	if (pairs && kind->refusal)
		return rm_fail_null("%s: %s", method, kind->refusal);
	if (check_data(data, pairs) < 0)
		return NULL;
	c = rm_calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->kind = kind;
	c->pairs = pairs;
	c->n = data->n;
	if (kind->fit(c, data) < 0) {
		rm_calib_free(c);
		return NULL;
	}
	return c;
}

double rm_calib_prob(const struct rm_calib *c, double x)
{
	return c->kind->prob(c, x);
}

bool rm_calib_pairs(const struct rm_calib *c)
{
	return c->pairs;
}

const char *rm_calib_method(const struct rm_calib *c)
{
	return c->kind->name;
}

const char *rm_calib_warning(const struct rm_calib *c)
{
	return c->warning;
}

void rm_calib_describe(const struct rm_calib *c, struct rm_buf *out)
{
	size_t i;

	rm_buf_puts(out, c->kind->name);
	for (i = 0; c->kind->parameter[i]; i++)
		if (strcmp(c->kind->parameter[i], c->kind->name) != 0)
			rm_buf_printf(out, " %s = %.4g",
				      c->kind->parameter[i], c->parameter[i]);
		else
			rm_buf_printf(out, " %.4g", c->parameter[i]);
	if (c->knots)
		rm_buf_printf(out, " of %zu knots", c->knots);
}

void rm_calib_free(struct rm_calib *c)
{
	if (!c)
		return;
	free(c->x);
	free(c->prob);
	free(c);
}

/* ---- as JSON ---- */

static json_t *json_numbers(const double *x, size_t n)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(array, json_real(x[i]));
	return array;
}

json_t *rm_calib_json(const struct rm_calib *c)
{
	json_t *json, *parameters = json_object();
	size_t i;

	for (i = 0; c->kind->parameter[i]; i++)
		json_object_set_new(parameters, c->kind->parameter[i],
				    json_real(c->parameter[i]));
	if (c->knots) {
		json_object_set_new(parameters, "x",
				    json_numbers(c->x, c->knots));
		json_object_set_new(parameters, "prob",
				    json_numbers(c->prob, c->knots));
	}
	json = json_pack("{s:s, s:i, s:s, s:s, s:I, s:o}",
			 "format", "rmtools-calibration", "version", 1,
			 "method", c->kind->name,
			 "on", c->pairs ? "pairs" : "responses",
			 "n", (json_int_t)c->n, "parameters", parameters);
	if (!json)
		rm_fail("out of memory");
	return json;
}

/* A member of `parameters` that is an array of numbers; *n of them. */
static int read_numbers(const json_t *parameters, const char *key,
			double **out, size_t *n)
{
	const json_t *array = json_object_get(parameters, key), *value;
	size_t i;

	if (!json_is_array(array))
		return rm_fail("calibration: parameters lack the array \"%s\"",
			       key);
	*n = json_array_size(array);
	*out = rm_malloc(*n, sizeof(**out));
	if (!*out)
		return -1;
	json_array_foreach(array, i, value) {
		if (!json_is_number(value))
			return rm_fail("calibration: %s[%zu] is no number",
				       key, i);
		(*out)[i] = json_number_value(value);
	}
	return 0;
}

static int read_parameters(struct rm_calib *c, const json_t *parameters)
{
	size_t i, n = 0;

	for (i = 0; c->kind->parameter[i]; i++)
		if (rm_json_get_double(parameters, c->kind->parameter[i],
				       "calibration: parameters",
				       &c->parameter[i]) < 0)
			return -1;
	if (c->kind->fit != fit_isotonic)
		return 0;
	if (read_numbers(parameters, "x", &c->x, &c->knots) < 0 ||
	    read_numbers(parameters, "prob", &c->prob, &n) < 0)
		return -1;
	if (n != c->knots)
		return rm_fail("calibration: %zu x and %zu prob", c->knots, n);
	return 0;
}

static int read_calib(struct rm_calib *c, const json_t *json)
{
	const char *what = "calibration", *format, *method, *on;
	size_t version;

	if (rm_json_get_string(json, "format", what, &format) < 0 ||
	    rm_json_get_size(json, "version", what, &version) < 0 ||
	    rm_json_get_string(json, "method", what, &method) < 0 ||
	    rm_json_get_string(json, "on", what, &on) < 0 ||
	    rm_json_get_size(json, "n", what, &c->n) < 0)
		return -1;
	if (strcmp(format, "rmtools-calibration") != 0 || version != 1)
		return rm_fail("%s: format %s version %zu, expected "
			       "rmtools-calibration version 1", what, format,
			       version);
	c->pairs = !strcmp(on, "pairs");
	if (!c->pairs && strcmp(on, "responses") != 0)
		return rm_fail("%s: on \"%s\", expected pairs or responses",
			       what, on);
	c->kind = find(method);
	if (!c->kind || read_parameters(c, json_object_get(json,
							   "parameters")) < 0)
		return -1;
	return c->kind->valid(c) ? 0 :
		rm_fail("%s: parameters that %s cannot have", what, method);
}

struct rm_calib *rm_calib_from_json(const json_t *json)
{
	struct rm_calib *c;

	if (!json_is_object(json))
		return rm_fail_null("calibration: no JSON object");
	c = rm_calloc(1, sizeof(*c));
	if (c && read_calib(c, json) < 0) {
		rm_calib_free(c);
		return NULL;
	}
	return c;
}

#include "train/checkpoint.h"

#include "safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *file_of(const char *dir)
{
	struct rm_buf b = {0};

	rm_buf_printf(&b, "%s/%s", dir, RM_CHECKPOINT_FILE);
	return rm_buf_text(&b);
}

int rm_checkpoint_exists(const char *dir)
{
	char *path = file_of(dir);
	int status = -1;

	if (!path)
		return -1;
	if (access(path, F_OK) == 0)
		status = 1;
	else if (errno == ENOENT)
		status = 0;
	else
		rm_fail("%s: %s", path, strerror(errno));
	free(path);
	return status;
}

/* ---- the loop's numbers ---- */

/* Doubles as C's hexadecimal text: exact, and NaN can be said. */
static json_t *exact(double x)
{
	char text[64];

	snprintf(text, sizeof(text), "%a", x);
	return json_string(text);
}

static double inexact(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? strtod(text, NULL) : 0;
}

static json_t *print_progression(const struct rm_progression *p)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:I}",
			 "step", (json_int_t)p->step,
			 "loss", exact(p->loss), "weight", exact(p->weight),
			 "correct", exact(p->correct),
			 "compared", exact(p->compared),
			 "best_step", (json_int_t)p->best_step,
			 "best_loss", exact(p->best_loss),
			 "best_accuracy", exact(p->best_accuracy),
			 "stale", (json_int_t)p->stale);
}

static int parse_progression(struct rm_progression *p, const json_t *o)
{
	size_t step, best_step, stale;

	if (rm_json_get_size(o, "step", "state", &step) < 0 ||
	    rm_json_get_size(o, "best_step", "state", &best_step) < 0 ||
	    rm_json_get_size(o, "stale", "state", &stale) < 0)
		return -1;
	*p = (struct rm_progression){
		step, inexact(o, "loss"), inexact(o, "weight"),
		inexact(o, "correct"), inexact(o, "compared"),
		best_step, inexact(o, "best_loss"),
		inexact(o, "best_accuracy"), stale
	};
	return 0;
}

/* ---- the bytes ---- */

/* All that is stored, as ranges: what writing and reading walk. */
struct ranges {
	size_t n;
	struct rm_range *range;
	void *params;			/* a copy of the parameters' state */
};

static int collect(struct ranges *r, const struct rm_checkpoint *c)
{
	size_t n, size = rm_params_state_size(c->params);
	const struct rm_range *optim = rm_optim_ranges(c->optim, &n);

	r->range = rm_calloc(n + 2, sizeof(*r->range));
	r->params = rm_malloc(size, 1);
	if (!r->range || !r->params)
		return -1;
	r->range[r->n++] = (struct rm_range){ "params", r->params, size };
	if (c->best)
		r->range[r->n++] = (struct rm_range){ "best", c->best, size };
	memcpy(r->range + r->n, optim, n * sizeof(*optim));
	r->n += n;
	return 0;
}

static void ranges_fini(struct ranges *r)
{
	free(r->range);
	free(r->params);
}

static int write_ranges(const char *path, const struct ranges *r,
			const char *state)
{
	struct rm_safetensor *t = rm_calloc(r->n, sizeof(*t));
	struct rm_safetensors_note note = { "state", state };
	int status;

	if (!t)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		t[i] = (struct rm_safetensor){
			.name = r->range[i].name, .dtype = RM_DTYPE_U8,
			.rank = 1, .shape = { r->range[i].bytes },
			.data = r->range[i].data, .size = r->range[i].bytes,
		};
	}
	status = rm_safetensors_write(path, t, r->n, &note, 1);
	free(t);
	return status;
}

int rm_checkpoint_write(const struct rm_checkpoint *c)
{
	struct ranges r = {0};
	struct rm_buf state = {0};
	char *path = file_of(c->dir);
	json_t *o = json_pack("{s:O, s:o}", "settings", c->settings,
			      "progression", print_progression(c->progression));
	int status = -1;

	rm_json_print(&state, o, 0);
	if (path && o && rm_buf_text(&state) && collect(&r, c) == 0) {
		rm_params_state_get(c->params, r.params);
		status = write_ranges(path, &r, (char *)state.data);
	}
	if (status < 0)
		rm_wrap("checkpoint");
	ranges_fini(&r);
	json_decref(o);
	rm_buf_fini(&state);
	free(path);
	return status;
}

/*
 * Settings are compared as text: a whole number that was a double reads back
 * as an integer.
 */
static int compare_settings(const json_t *is, const json_t *want)
{
	struct rm_buf a = {0}, b = {0};
	const char *key;
	json_t *value;
	int status = 0;

	json_object_foreach((json_t *)want, key, value) {
		const json_t *other = json_object_get(is, key);

		rm_buf_clear(&a);
		rm_buf_clear(&b);
		if (other)
			rm_json_canonical(&a, other);
		rm_json_canonical(&b, value);
		if (!rm_buf_text(&a) || !rm_buf_text(&b))
			status = -1;
		else if (strcmp((char *)a.data, (char *)b.data) != 0)
			status = rm_fail("it was made with another %s: %s, "
					 "now %s", key, a.data, b.data);
		if (status < 0)
			break;
	}
	rm_buf_fini(&a);
	rm_buf_fini(&b);
	return status;
}

static int restore(const struct ranges *r, const struct rm_safetensors *st)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct rm_range *to = &r->range[i];
		const struct rm_safetensor *t =
			rm_safetensors_find(st, to->name);

		if (!t || t->size != to->bytes)
			return rm_fail("%s is missing or of another size",
				       to->name);
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct rm_range *to = &r->range[i];

		if (rm_safetensor_read(rm_safetensors_find(st, to->name), 0,
				       to->bytes, to->data) < 0)
			return -1;
	}
	return 0;
}

static int read_state(const struct rm_checkpoint *c,
		      const struct rm_safetensors *st)
{
	const char *text = rm_safetensors_note(st, "state");
	json_t *state = text ? rm_json_parse(text, strlen(text)) : NULL;
	struct ranges r = {0};
	int status = -1;

	if (!text)
		rm_fail("no training state in it");
	if (state &&
	    compare_settings(json_object_get(state, "settings"),
			     c->settings) == 0 &&
	    collect(&r, c) == 0 && restore(&r, st) == 0 &&
	    parse_progression(c->progression,
			      json_object_get(state, "progression")) == 0) {
		rm_params_state_set(c->params, r.params);
		status = 0;
	}
	ranges_fini(&r);
	json_decref(state);
	return status;
}

int rm_checkpoint_read(const struct rm_checkpoint *c)
{
	char *path = file_of(c->dir);
	struct rm_safetensors *st = path ? rm_safetensors_open(path) : NULL;
	int status = st ? read_state(c, st) : -1;

	if (st && status < 0)
		rm_wrap("%s", path);
	rm_safetensors_close(st);
	free(path);
	return status;
}

/*
 * model: the tensors of a checkpoint as the parameters of a model.
 *
 * A row of the table has the name that the family's class with a head gives
 * its tensor.  A checkpoint saved from the base alone lacks the prefix of
 * the base, one of old has gamma and beta for a norm's weight and bias, and
 * either may hold tensors of other heads and buffers.
 */
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* The tensor of that name, or of the name that it had of old. */
static const struct rm_safetensor *find_as(const struct rm_weights *w,
					   const char *name)
{
	static const char *const old[][2] = {
		{ "LayerNorm.weight", "weight" }, { "LayerNorm.bias", "bias" },
	};
	static const char *const was[] = { "gamma", "beta" };
	const struct rm_safetensor *t = rm_weights_find(w, name);
	struct rm_buf b = {0};

	for (size_t i = 0; i < RM_COUNT(old) && !t; i++) {
		if (!ends_in(name, old[i][0]))
			continue;
		rm_buf_append(&b, name, strlen(name) - strlen(old[i][1]));
		rm_buf_puts(&b, was[i]);
		if (rm_buf_text(&b))
			t = rm_weights_find(w, (char *)b.data);
	}
	rm_buf_fini(&b);
	return t;
}

static const struct rm_safetensor *
find_tensor(const struct rm_weights *w, const struct rm_model_names *names,
	    const char *name)
{
	const struct rm_safetensor *t = find_as(w, name);
	size_t n = names->prefix ? strlen(names->prefix) : 0;

	if (!t && n && strncmp(name, names->prefix, n) == 0)
		t = find_as(w, name + n);
	return t;
}

/* Whether a tensor that no row wants may be left aside. */
static bool is_ignored(const struct rm_model_names *names, const char *name)
{
	struct rm_buf b = {0};
	bool yes;

	if (!names->ignores)
		return false;
	if (names->ignores(names->arg, name))
		return true;
	if (!names->prefix)
		return false;
	rm_buf_printf(&b, "%s%s", names->prefix, name);
	yes = rm_buf_text(&b) && names->ignores(names->arg, (char *)b.data);
	rm_buf_fini(&b);
	return yes;
}

static int check_shape(const struct rm_param *p,
		       const struct rm_safetensor *t)
{
	struct rm_safetensor want = {0};
	struct rm_buf is = {0}, should = {0};

	rm_model_describe(&want, p);
	if (t->rank == want.rank &&
	    memcmp(t->shape, want.shape, t->rank * sizeof(*t->shape)) == 0)
		return 0;
	rm_safetensor_print_shape(&is, t);
	rm_safetensor_print_shape(&should, &want);
	rm_fail("tensor %s: shape %s, expected %s", t->name,
		rm_buf_text(&is), rm_buf_text(&should));
	rm_buf_fini(&is);
	rm_buf_fini(&should);
	return -1;
}

static int by_address(const void *a, const void *b)
{
	const struct rm_safetensor *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What the file holds besides: an error, unless it is known to be idle. */
static int check_rest(const struct rm_weights *w,
		      const struct rm_model_names *names,
		      const struct rm_safetensor *const *found, size_t n)
{
	const struct rm_safetensor **used = rm_malloc(n, sizeof(*used));
	int status = 0;

	if (!used)
		return -1;
	memcpy(used, found, n * sizeof(*used));
	qsort(used, n, sizeof(*used), by_address);
	for (size_t i = 0; i < rm_weights_count(w) && status == 0; i++) {
		const struct rm_safetensor *t = rm_weights_at(w, i);

		if (!bsearch(&t, used, n, sizeof(*used), by_address) &&
		    !is_ignored(names, t->name)) {
			struct rm_buf b = {0};

			rm_safetensor_print_shape(&b, t);
			status = rm_fail("tensor %s %s: the model has none "
					 "of that name", t->name,
					 rm_buf_text(&b));
			rm_buf_fini(&b);
		}
	}
	free(used);
	return status;
}

static int fail_missing(const struct rm_param *p, bool head)
{
	struct rm_safetensor want = {0};
	struct rm_buf b = {0};

	rm_model_describe(&want, p);
	rm_safetensor_print_shape(&b, &want);
	rm_fail("tensor %s %s: missing%s", p->name, rm_buf_text(&b),
		head ? ": a base without a reward head, which rm-train "
		       "--base gives it" : "");
	rm_buf_fini(&b);
	return -1;
}

int rm_model_find_tensors(const struct rm_params *params,
			  size_t first_of_head, const struct rm_weights *w,
			  const struct rm_model_names *names,
			  bool fresh_head, const struct rm_safetensor **found)
{
	for (size_t i = 0; i < params->n; i++) {
		const struct rm_param *p = &params->param[i];
		bool head = names->prefix && i >= first_of_head;

		found[i] = NULL;
		if (i >= first_of_head && names->skip_head)
			continue;
		found[i] = find_tensor(w, names, p->name);
		if (!found[i] && !(head && fresh_head))
			return fail_missing(p, head);
		if (found[i] && check_shape(p, found[i]) < 0)
			return -1;
	}
	return check_rest(w, names, found, params->n);
}

/* "BF16", or "BF16, F32" where there are both. */
static void note_dtype(struct rm_model *m, const struct rm_safetensor *t)
{
	m->dtypes |= 1u << t->dtype;
}

static int read_all(struct rm_model *m,
		    const struct rm_safetensor *const *found)
{
	for (size_t i = 0; i < m->n_tensors; i++) {
		if (!found[i]) {
			m->fresh_head = true;
			continue;
		}
		note_dtype(m, found[i]);
		if (rm_weights_read(found[i], m->params.param[i].value) < 0)
			return -1;
	}
	return 0;
}

/* The tensors are checked before memory is taken for what config.json
 * claims. */
int rm_model_load_weights(struct rm_model *m, const char *dir,
			  const struct rm_model_training *training,
			  bool fresh_head)
{
	struct rm_model_names names = rm_model_names(m);
	struct rm_weights *w = rm_weights_open(dir);
	const struct rm_safetensor **found =
		rm_calloc(m->params.n, sizeof(*found));
	int status = -1;

	if (w && found) {
		status = rm_model_find_tensors(&m->params, m->first_of_head,
					       w, &names, fresh_head, found);
		if (status < 0)
			rm_wrap("%s/%s", dir, rm_weights_name(w));
	}
	if (status == 0) {
		m->other_head = m->other_head && rm_model_has_head(m, w);
		status = rm_model_alloc(m, training);
	}
	if (status == 0)
		status = read_all(m, found);
	free(found);
	rm_weights_close(w);
	return status;
}

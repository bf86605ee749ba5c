#include "perturb.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "perturb/kind.h"
#include "perturb_table.h"

const char *const rm_perturb_to_names[] = {
	"all", "preferred", "rejected", NULL
};

const char *const rm_perturb_at_names[] = { "end", "start", NULL };

/* One of the chain. */
struct step {
	const struct rm_perturb_kind *kind;
	struct rm_perturb_options o;
};

struct rm_perturb {
	size_t n;
	struct step *step;	/* [n] */
	json_t *config;		/* which the steps' texts point into */
};

/* ---- the chain ---- */

static const struct rm_spec *const *all_specs(void)
{
	static const struct rm_spec *list[RM_COUNT(rm_perturb_kinds)];

	for (size_t i = 0; rm_perturb_kinds[i]; i++)
		list[i] = &rm_perturb_kinds[i]->spec;
	return list;
}

void rm_perturb_list(struct rm_buf *out)
{
	rm_spec_list(out, all_specs());
}

static int add_step(struct rm_perturb *p, const char *text)
{
	struct step *s = &p->step[p->n];
	json_t *config = rm_spec_parse("perturbation", all_specs(), text);
	int i;

	if (!config)
		return -1;
	if (json_array_append_new(p->config, config) < 0)
		return rm_fail("out of memory");
	i = rm_spec_find("perturbation", all_specs(), config);
	if (i < 0)
		return -1;
	s->kind = rm_perturb_kinds[i];
	p->n++;
	return rm_spec_fill("perturbation", &s->kind->spec, config, &s->o);
}

struct rm_perturb *rm_perturb_new(char *const *specs, size_t n)
{
	struct rm_perturb *p = rm_calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->config = json_array();
	p->step = rm_calloc(n, sizeof(*p->step));
	if (p->config && p->step)
		while (p->n < n && add_step(p, specs[p->n]) == 0)
			;
	else
		rm_fail("out of memory");
	if (p->n == n && n > 0 && json_array_size(p->config) == n)
		return p;
	rm_perturb_free(p);
	return NULL;
}

void rm_perturb_free(struct rm_perturb *p)
{
	if (!p)
		return;
	json_decref(p->config);
	free(p->step);
	free(p);
}

const json_t *rm_perturb_config(const struct rm_perturb *p)
{
	return p->config;
}

bool rm_perturb_needs_labels(const struct rm_perturb *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->step[i].o.to != RM_PERTURB_ALL)
			return true;
	return false;
}

/* ---- one text ---- */

static bool is_meant(const struct step *s, enum rm_standing standing)
{
	switch (s->o.to) {
	case RM_PERTURB_PREFERRED:
		return standing == RM_STANDING_FIRST;
	case RM_PERTURB_REJECTED:
		return standing == RM_STANDING_BEHIND;
	default:
		return true;
	}
}

/* What draws are keyed by beside the seed. */
static uint64_t key_of(struct rm_slice id, size_t response, size_t step)
{
	const uint64_t parts[] = {
		id.len ? rm_hash64(id.data, id.len) : 0, response, step
	};

	return rm_hash64(parts, sizeof(parts));
}

int rm_perturb_text(const struct rm_perturb *p, struct rm_slice id, size_t i,
		    enum rm_standing standing, struct rm_slice *text,
		    struct rm_arena *arena)
{
	struct rm_buf out = {0};

	for (size_t k = 0; k < p->n; k++) {
		const struct step *s = &p->step[k];
		struct rm_perturb_draw draw = {
			.seed = s->o.seed, .key = key_of(id, i, k)
		};
		char *made;

		if (!is_meant(s, standing))
			continue;
		rm_buf_clear(&out);
		s->kind->apply(&s->o, &draw, *text, &out);
		made = out.failed ? NULL :
			rm_arena_strndup(arena, (char *)out.data, out.len);
		if (!made) {
			rm_buf_fini(&out);
			return -1;
		}
		*text = (struct rm_slice){ (unsigned char *)made, out.len };
	}
	rm_buf_fini(&out);
	return 0;
}

/* ---- pieces of kinds ---- */

double rm_perturb_uniform(struct rm_perturb_draw *d)
{
	return rm_random_uniform(d->seed, RM_RANDOM_PERTURB, d->key,
				 d->next++);
}

size_t rm_perturb_below(struct rm_perturb_draw *d, size_t n)
{
	return (size_t)(rm_perturb_uniform(d) * (double)n);
}

int32_t rm_perturb_char(const unsigned char *s, size_t n, size_t *bytes)
{
	utf8proc_int32_t c;
	utf8proc_ssize_t used = utf8proc_iterate(s, (utf8proc_ssize_t)n, &c);

	*bytes = used > 0 ? (size_t)used : 1;
	return used > 0 ? c : -1;
}

void rm_perturb_put(struct rm_buf *out, int32_t c)
{
	unsigned char bytes[4];
	utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);

	rm_buf_append(out, bytes, (size_t)n);
}

bool rm_perturb_is_letter(int32_t c)
{
	return c >= 0 && utf8proc_category(c) >= UTF8PROC_CATEGORY_LU &&
	       utf8proc_category(c) <= UTF8PROC_CATEGORY_LO;
}

void rm_perturb_join(const struct rm_perturb_options *o, struct rm_slice text,
		     struct rm_slice more, bool apart, struct rm_buf *out)
{
	size_t lead = 0;

	if (o->at == RM_PERTURB_END) {
		rm_buf_append(out, text.data, text.len);
		if (apart && text.len &&
		    !rm_perturb_is_space(text.data[text.len - 1]))
			rm_buf_putc(out, ' ');
		rm_buf_append(out, more.data, more.len);
		return;
	}
	while (lead < text.len && rm_perturb_is_space(text.data[lead]))
		lead++;
	rm_buf_append(out, text.data, lead);
	rm_buf_append(out, more.data, more.len);
	if (apart && lead < text.len)
		rm_buf_putc(out, ' ');
	rm_buf_append(out, text.data + lead, text.len - lead);
}

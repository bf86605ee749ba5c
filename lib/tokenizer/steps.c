/* Lists of steps, and Sequence, which is a list itself. */
#include "tokenizer/steps.h"

#include "tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>

/* Bounds what a file can claim. */
#define MAX_STEPS 1024

static void step_fini(struct rm_step *s)
{
	if (s->free)
		s->free(s->self);
}

int rm_steps_add(struct rm_steps *steps, struct rm_step step)
{
	int err = 0;

	if (steps->n == MAX_STEPS)
		err = rm_fail("more than %d steps", MAX_STEPS);
	else
		err = rm_grow(&steps->step, &steps->cap, steps->n + 1,
			      sizeof(*steps->step));
	if (err < 0) {
		step_fini(&step);
		return -1;
	}
	steps->step[steps->n++] = step;
	return 0;
}

void rm_steps_fini(struct rm_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++)
		step_fini(&steps->step[i]);
	free(steps->step);
	*steps = (struct rm_steps){0};
}

int rm_matches_next(struct rm_matches *m)
{
	size_t last = m->look, len;
	int got;

	while (m->look <= m->n) {
		got = m->step->find(m->step, m->w, m->text, m->n, m->look,
				    &m->start, &m->end);
		if (got <= 0)
			return got;
		if (m->end > m->start || !m->any || m->end != last) {
			m->look = m->end;
			m->any = true;
			return 1;
		}
		if (m->look == m->n)
			return 0;
		rm_char_at(m->text + m->look, m->text + m->n, &len);
		m->look += len;
	}
	return 0;
}

int rm_find_text(const struct rm_step *s, struct rm_work *w,
		 const unsigned char *text, size_t n, size_t from,
		 size_t *start, size_t *end)
{
	const unsigned char *p = memmem(text + from, n - from, s->text.data,
					s->text.len);

	(void)w;
	if (!p)
		return 0;
	*start = (size_t)(p - text);
	*end = *start + s->text.len;
	return 1;
}

/* The list of a Sequence stands under one of these names. */
static const json_t *sequence_of(const json_t *json)
{
	const json_t *list = json_object_get(json, "normalizers");

	return list ? list : json_object_get(json, "pretokenizers");
}

static int load_sequence(struct rm_steps *steps, const json_t *json,
			 const struct rm_step_kind *const *tables,
			 const char *part, struct rm_buf *canonical)
{
	const json_t *list = sequence_of(json);

	if (!json_is_array(list))
		return rm_fail("%s Sequence: no list of its parts", part);
	rm_buf_putc(canonical, '[');
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (i)
			rm_buf_putc(canonical, ',');
		if (json_is_null(one))
			return rm_fail("%s Sequence: part %zu is null", part,
				       i);
		if (rm_steps_load(steps, one, tables, part, canonical) < 0)
			return -1;
	}
	rm_buf_putc(canonical, ']');
	return 0;
}

static const struct rm_step_kind *
find_kind(const struct rm_step_kind *const *tables, const char *type)
{
	for (; *tables; tables++)
		for (const struct rm_step_kind *k = *tables; k->type; k++)
			if (strcmp(k->type, type) == 0)
				return k;
	return NULL;
}

int rm_steps_load(struct rm_steps *steps, const json_t *json,
		  const struct rm_step_kind *const *tables, const char *part,
		  struct rm_buf *canonical)
{
	const struct rm_step_kind *kind;
	const char *type;

	if (!json || json_is_null(json)) {
		rm_buf_puts(canonical, "null");
		return 0;
	}
	if (rm_json_get_string(json, "type", part, &type) < 0)
		return -1;
	if (strcmp(type, "Sequence") == 0)
		return load_sequence(steps, json, tables, part, canonical);
	kind = find_kind(tables, type);
	if (!kind)
		return rm_fail("%s %s is not supported yet", part, type);
	return kind->load(steps, json, canonical) < 0 ?
	       rm_wrap("%s %s", part, type) : 0;
}

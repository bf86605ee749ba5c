/* A text rewritten, and where in the old one its bytes came from. */
#include "tokenizer/steps.h"

#include <stdlib.h>

/* Whether run i stands for the old text byte for byte. */
static bool is_copy(const struct rm_edit *e, size_t i)
{
	size_t new_start = i ? e->run[i - 1].new_end : 0;
	size_t old_start = i ? e->run[i - 1].old_end : 0;

	return e->run[i].new_end - new_start == e->run[i].old_end - old_start;
}

void rm_edit_put(struct rm_edit *e, const void *text, size_t n, size_t n_old)
{
	size_t old_end = (e->n ? e->run[e->n - 1].old_end : 0) + n_old;

	rm_buf_append(&e->text, text, n);
	if (n == n_old && e->n && is_copy(e, e->n - 1)) {
		e->run[e->n - 1].new_end = e->text.len;
		e->run[e->n - 1].old_end = old_end;
		return;
	}
	if (e->n == e->cap && rm_grow(&e->run, &e->cap, e->n + 1,
				      sizeof(*e->run)) < 0) {
		e->text.failed = true;
		return;
	}
	e->run[e->n++] = (struct rm_edit_run){ e->text.len, old_end };
}

void rm_edit_clear(struct rm_edit *e)
{
	rm_buf_clear(&e->text);
	e->n = 0;
}

void rm_edit_back(const struct rm_edit *e, size_t *ends, size_t n, size_t at)
{
	size_t i = 0;

	for (size_t k = 0; k < n; k++) {
		while (i + 1 < e->n && e->run[i].new_end < ends[k])
			i++;
		if (e->n == 0)
			ends[k] += at;
		else if (is_copy(e, i))
			ends[k] = at + e->run[i].old_end -
				  (e->run[i].new_end - ends[k]);
		else
			ends[k] = at + (ends[k] ? e->run[i].old_end : 0);
	}
}

size_t rm_edit_origin(const struct rm_edit *e, size_t at)
{
	size_t i = 0, start, new_start;

	if (e->n == 0)
		return at;
	while (i + 1 < e->n && e->run[i].new_end <= at)
		i++;
	/* What was inserted stands with the character before it. */
	while (i > 0 && e->run[i].old_end == e->run[i - 1].old_end &&
	       e->run[i].new_end > e->run[i - 1].new_end) {
		at = e->run[--i].new_end - 1;
		while (at > 0 && (e->text.data[at] & 0xc0) == 0x80)
			at--;
		while (i > 0 && e->run[i - 1].new_end > at)
			i--;
	}
	start = i ? e->run[i - 1].old_end : 0;
	new_start = i ? e->run[i - 1].new_end : 0;
	return is_copy(e, i) ? start + at - new_start : start;
}

void rm_edit_fini(struct rm_edit *e)
{
	rm_buf_fini(&e->text);
	free(e->run);
	*e = (struct rm_edit){0};
}

#include "batch.h"

#include <stdlib.h>
#include <string.h>

void rm_batch_clear(struct rm_batch *b)
{
	b->n_tokens = b->n_segments = b->n_leaves = b->n_groups = 0;
}

/* Room in ids for the ids of one slice at the end; they stay uncounted. */
static int append_ids(struct rm_batch *b, struct rm_slice s, size_t at)
{
	size_t n = s.data ? s.len / sizeof(int32_t) : 0;

	if (rm_grow(&b->ids, &b->cap_tokens, at + n, sizeof(*b->ids)) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = s.data + i * sizeof(int32_t);
		uint32_t id = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
			(uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		if (id > INT32_MAX)
			return rm_fail("token %zu has the negative id %d", i,
				       (int32_t)id);
		b->ids[at + i] = (int32_t)id;
	}
	return 0;
}

/* One segment of the ids of a then b; its index, or -1. */
static int append_segment(struct rm_batch *batch, struct rm_slice a,
			  struct rm_slice b, size_t parent)
{
	size_t n_a = a.data ? a.len / sizeof(int32_t) : 0;
	size_t n_b = b.data ? b.len / sizeof(int32_t) : 0;

	if (rm_grow(&batch->segment, &batch->cap_segments,
		    batch->n_segments + 1, sizeof(*batch->segment)) < 0 ||
	    append_ids(batch, a, batch->n_tokens) < 0 ||
	    append_ids(batch, b, batch->n_tokens + n_a) < 0)
		return -1;
	batch->segment[batch->n_segments++] = (struct rm_segment){
		.start = batch->n_tokens,
		.length = n_a + n_b,
		.parent = parent
	};
	batch->n_tokens += n_a + n_b;
	return 0;
}

/* own: the segment that the prompt has, or RM_NO_PARENT. */
static int append_leaf(struct rm_batch *b, struct rm_slice prompt,
		       struct rm_slice response, size_t own,
		       enum rm_prompt how)
{
	const struct rm_slice none = {0};
	struct rm_slice prefix = how == RM_PROMPT_COPIED ? prompt : none;
	bool apart = how == RM_PROMPT_APART;

	if (rm_grow(&b->leaf, &b->cap_leaves, b->n_leaves + 1,
		    sizeof(*b->leaf)) < 0 ||
	    rm_grow(&b->apart, &b->cap_apart, b->n_leaves + 1,
		    sizeof(*b->apart)) < 0 ||
	    append_segment(b, prefix, response,
			   apart ? RM_NO_PARENT : own) < 0)
		return -1;
	b->segment[b->n_segments - 1].prompt = prefix.data ?
		prefix.len / sizeof(int32_t) : 0;
	b->apart[b->n_leaves] = apart ? own : RM_NO_PARENT;
	b->leaf[b->n_leaves++] = b->n_segments - 1;
	return 0;
}

static bool has_segment(struct rm_slice prompt, enum rm_prompt how)
{
	return (how == RM_PROMPT_SHARED || how == RM_PROMPT_APART) &&
	       prompt.data && prompt.len >= sizeof(int32_t);
}

static int add_all(struct rm_batch *b, struct rm_slice prompt,
		   const struct rm_slice *responses, size_t k,
		   enum rm_prompt how)
{
	const struct rm_slice none = {0};
	size_t own = RM_NO_PARENT;

	if (rm_grow(&b->group, &b->cap_groups, b->n_groups + 1,
		    sizeof(*b->group)) < 0)
		return -1;
	if (has_segment(prompt, how)) {
		own = b->n_segments;
		if (append_segment(b, prompt, none, RM_NO_PARENT) < 0)
			return -1;
		b->segment[own].prompt = b->segment[own].length;
	}
	b->group[b->n_groups++] = b->n_leaves;
	for (size_t i = 0; i < k; i++)
		if (append_leaf(b, prompt, responses[i], own, how) < 0)
			return rm_wrap("response %zu", i);
	return 0;
}

int rm_batch_add(struct rm_batch *b, struct rm_slice prompt,
		 const struct rm_slice *responses, size_t k,
		 enum rm_prompt how)
{
	struct rm_batch before = *b;

	if (add_all(b, prompt, responses, k, how) == 0)
		return 0;
	/* A group is in a batch whole or not at all. */
	b->n_tokens = before.n_tokens;
	b->n_segments = before.n_segments;
	b->n_leaves = before.n_leaves;
	b->n_groups = before.n_groups;
	return -1;
}

int rm_batch_add_more(struct rm_batch *b, struct rm_slice prompt,
		      struct rm_slice response, enum rm_prompt how)
{
	size_t last = b->n_leaves - 1;
	size_t own = how == RM_PROMPT_APART ? b->apart[last] :
		b->segment[b->leaf[last]].parent;

	return append_leaf(b, prompt, response, own, how);
}

void rm_batch_fini(struct rm_batch *b)
{
	if (!b)
		return;
	free(b->ids);
	free(b->segment);
	free(b->leaf);
	free(b->apart);
	free(b->group);
	*b = (struct rm_batch){0};
}

/* Which record it was: ids, for examples. */
#include "pair/internal.h"

#include <stdlib.h>

enum {
	MOST_IDS = 1 << 21, MOST_BYTES = 32 << 20, LONGEST = 64
};

struct rm_ids {
	int field;
	struct rm_buf bytes;
	uint32_t *end;		/* [n] of each id in bytes */
	size_t n, cap;
};

struct rm_ids *rm_ids_new(const struct rm_schema *schema)
{
	struct rm_ids *ids = rm_calloc(1, sizeof(*ids));

	if (ids)
		ids->field = rm_schema_find(schema, "id");
	return ids;
}

void rm_ids_free(struct rm_ids *ids)
{
	if (!ids)
		return;
	rm_buf_fini(&ids->bytes);
	free(ids->end);
	free(ids);
}

int rm_ids_add(struct rm_ids *ids, const struct rm_record *rec)
{
	struct rm_slice id = rm_record_bytes(rec, ids->field);

	if (ids->n == MOST_IDS || ids->bytes.len + LONGEST > MOST_BYTES)
		return 0;
	if (rm_grow(&ids->end, &ids->cap, ids->n + 1, sizeof(*ids->end)) < 0)
		return -1;
	rm_buf_append(&ids->bytes, id.data, RM_MIN(id.len, (size_t)LONGEST));
	ids->end[ids->n++] = (uint32_t)ids->bytes.len;
	return ids->bytes.failed ? -1 : 0;
}

void rm_ids_print(struct rm_buf *out, const struct rm_ids *ids,
		  uint64_t number)
{
	size_t start = number && number <= ids->n ? ids->end[number - 1] : 0;
	size_t end = number < ids->n ? ids->end[number] : start;

	if (out->len)
		rm_buf_putc(out, ' ');
	if (end > start)
		rm_buf_append(out, ids->bytes.data + start, end - start);
	else
		rm_buf_printf(out, "#%llu", (unsigned long long)number + 1);
}

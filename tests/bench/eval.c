/*
 * Scored pairs of known kind, without token ids: as a stream on stdout, and
 * their columns as raw numbers for the peer.
 *
 * usage: eval PAIRS FOLDER > STREAM
 */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fields[] = {
	"id", "key", "rank", "length", "reward"
};

struct row {
	uint64_t key;
	double reward[2];
	int32_t length[2];
};

/* Rewards of a model that is right three times of four, with ties. */
static struct row draw(uint64_t i, uint64_t n)
{
	double quality = rm_random_normal(1, RM_RANDOM_TEST, 0, i) + .9;
	double level = rm_random_normal(1, RM_RANDOM_TEST, 1, i);
	struct row r = { 1 + rm_random(1, RM_RANDOM_TEST, 2, i) % (n / 3 + 1),
			 { level + quality, level - quality / 3 }, { 0, 0 } };

	r.key = rm_hash64(&r.key, sizeof(r.key));
	if (i % 1000 == 0)
		r.reward[1] = r.reward[0];
	for (int j = 0; j < 2; j++)
		r.length[j] = 20 + (int32_t)(rm_random(1, RM_RANDOM_TEST, 3,
			2 * i + (uint64_t)j) % 2000) +
			(int32_t)(100 * (r.reward[j] + 10));
	return r;
}

static int write_row(struct rm_writer *w, struct rm_buf *b, uint64_t i,
		     const struct row *r, FILE *column[3])
{
	const double rank[2] = { 0, 1 };
	char id[24];
	int n = snprintf(id, sizeof(id), "pair:%llu", (unsigned long long)i);

	rm_buf_clear(b);
	rm_put_array(b, RM_COUNT(fields));
	rm_put_str(b, id, (size_t)n);
	rm_put_u64(b, r->key);
	rm_put_f64s(b, rank, 2);
	rm_put_i32s(b, r->length, 2);
	rm_put_f64s(b, r->reward, 2);
	if (fwrite(&r->key, 8, 1, column[0]) != 1 ||
	    fwrite(r->reward, 8, 2, column[1]) != 2 ||
	    fwrite(r->length, 4, 2, column[2]) != 2)
		return rm_fail("cannot write the columns");
	return rm_writer_write(w, b);
}

static int generate(struct rm_output *out, uint64_t n, FILE *column[3])
{
	struct rm_header h;
	struct rm_buf b = {0};
	struct rm_writer *w = NULL;
	uint64_t i;
	size_t f;
	int ok = rm_header_init(&h);

	h.pairs = true;
	for (f = 0; ok == 0 && f < RM_COUNT(fields); f++)
		ok = rm_schema_add(&h.schema, fields[f]);
	if (ok == 0)
		w = rm_writer_open(out, &h);
	if (!w)
		ok = -1;
	for (i = 0; ok == 0 && i < n; i++) {
		struct row r = draw(i, n);

		ok = write_row(w, &b, i, &r, column);
	}
	if (ok == 0)
		ok = rm_writer_finish(w);
	rm_writer_free(w);
	rm_buf_fini(&b);
	rm_header_fini(&h);
	return ok;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "key", "reward", "length" };
	struct rm_output *out = rm_output_open(NULL);
	FILE *column[3] = {0};
	char path[4096];
	int64_t n = 0;
	int i, ok = -1;

	if (argc == 3 && rm_parse_i64(argv[1], 1, 1000000000, &n) == 0)
		ok = 0;
	for (i = 0; ok == 0 && i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[2], names[i]);
		column[i] = fopen(path, "wb");
		if (!column[i])
			ok = rm_fail("cannot write %s", path);
	}
	if (ok == 0)
		ok = generate(out, (uint64_t)n, column);
	for (i = 0; i < 3; i++)
		if (column[i] && fclose(column[i]) != 0)
			ok = -1;
	if (ok == 0)
		ok = rm_output_commit(out);
	else
		rm_output_abort(out);
	if (ok < 0)
		fprintf(stderr, "eval: %s\n", rm_error());
	return ok < 0;
}

/*
 * Prompts that occur again: records twice, prompts in several parts of a
 * split, and prompts that are nearly the same.
 *
 * Nearly the same: the Jaccard similarity of their sets of shingles, windows
 * of 8 bytes of the text in lower case with all but letters and digits as
 * one space, or of 3 token ids, is estimated by a sketch.  One hash of each
 * shingle puts it into one of 64 bins, which keeps its least (one
 * permutation hashing: Li, Owen, Zhang 2012); an empty bin takes that of
 * another one (Shrivastava 2017); 8 bits of each are stored (Li, Koenig
 * 2010).  Two sketches are compared when four bins in a row, of 16 such
 * rows, are the same (Broder 1997; Indyk, Motwani 1998).
 */
#include "pair/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST = 1 << 20,		/* prompts */
	BINS = 64, ROWS = 16, WINDOW = 8,
	ENOUGH = 52,		/* equal bins: a similarity of 0.81 */
	DIGITS = 1 << 16,	/* by which rows are sorted */
	EXAMPLES = 5
};

/* Of a prompt that was in two parts. */
#define SEVERAL UINT32_MAX

struct prompt {
	uint64_t key;
	uint32_t first;		/* record */
	uint32_t part;		/* a hash of its name; 0: none */
	unsigned char sketch[BINS];
};

struct rm_prompts {
	int ids, text;
	struct prompt *item;
	size_t n, cap;
	uint32_t *place;	/* by key: index + 1; 0 is empty */
	size_t places;
	uint64_t keyed, beyond;	/* records with a prompt; not in the table */
	uint64_t several;	/* prompts in several parts */
	bool parts;		/* any record is in a part */
	uint32_t leak[EXAMPLES][2];	/* records */
	struct rm_distinct contents;
	uint64_t with_content;
	uint64_t *hash;
	size_t hash_cap;
};

struct rm_prompts *rm_prompts_new(const struct rm_schema *schema)
{
	struct rm_prompts *p = rm_calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ids = rm_schema_find(schema, "prompt");
	p->text = rm_schema_find(schema, "prompt_text");
	return p;
}

void rm_prompts_free(struct rm_prompts *p)
{
	if (!p)
		return;
	free(p->item);
	free(p->place);
	free(p->hash);
	rm_distinct_fini(&p->contents);
	free(p);
}

/* ---- sketches ---- */

/* The finalizer of MurmurHash3. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static void put(uint64_t *bin, uint64_t hash)
{
	uint64_t *least = &bin[hash >> 58];

	if (hash < *least)
		*least = hash;
}

static void shingle_bytes(uint64_t *bin, const unsigned char *text, size_t n,
			  size_t step)
{
	uint64_t window = ' ';
	size_t seen = 0;

	for (size_t i = 0; i < n; i += step) {
		unsigned char c = text[i], low = c | 0x20;

		if ((unsigned char)(low - 'a') < 26)
			c = low;
		else if (c < 0x80 && (unsigned char)(c - '0') > 9)
			c = ' ';
		if (c == ' ' && (window & 0xff) == ' ')
			continue;
		window = window << 8 | c;
		if (++seen >= WINDOW)
			put(bin, mix(window));
	}
	if (seen < WINDOW)
		put(bin, mix(window));
}

static void shingle_ids(uint64_t *bin, const unsigned char *ids, size_t n)
{
	uint64_t window[3] = {0};

	for (size_t i = 0; i < n; i += 4) {
		window[0] = window[1];
		window[1] = window[2];
		window[2] = (uint32_t)rm_get_i32(ids + i);
		if (i >= 8 || i + 4 == n)
			put(bin, mix(mix(window[0] << 32 | window[1]) +
				     window[2]));
	}
}

/* Ids that are bytes of a text are read as one. */
static bool are_bytes(struct rm_slice ids)
{
	for (size_t i = 0; i < ids.len; i += 4)
		if ((uint32_t)rm_get_i32(ids.data + i) > 255)
			return false;
	return true;
}

/* An empty bin takes that of the first full one in an order of its own. */
static uint64_t filled(const uint64_t *bin, uint64_t i)
{
	uint64_t at = i;

	for (uint64_t try = 1; bin[at] == UINT64_MAX; try++)
		at = mix(i * 1000003 + try) % BINS;
	return bin[at];
}

static void sketch(unsigned char *out, const struct rm_prompts *p,
		   const struct rm_record *rec)
{
	struct rm_slice text = rm_record_bytes(rec, p->text);
	struct rm_slice ids = rm_record_bytes(rec, p->ids);
	uint64_t bin[BINS];

	memset(bin, 0xff, sizeof(bin));
	if (text.data)
		shingle_bytes(bin, text.data, text.len, 1);
	else if (are_bytes(ids))
		shingle_bytes(bin, ids.data, ids.len, 4);
	else
		shingle_ids(bin, ids.data, ids.len);
	for (size_t i = 0; i < BINS; i++)
		out[i] = (unsigned char)filled(bin, i);
}

static int equal_bins(const struct prompt *a, const struct prompt *b)
{
	int n = 0;

	for (size_t i = 0; i < BINS; i++)
		n += a->sketch[i] == b->sketch[i];
	return n;
}

/* Less the bins that are equal by chance in 8 bits. */
static double similarity(int bins)
{
	return fmax(0, ((double)bins / BINS - 1 / 256.) / (255 / 256.));
}

/* ---- adding a record ---- */

/* The place of a key, or the empty one where it belongs. */
static size_t look_up(const struct rm_prompts *p, uint64_t key)
{
	size_t mask = p->places - 1, at = mix(key) & mask;

	while (p->place[at] && p->item[p->place[at] - 1].key != key)
		at = (at + 1) & mask;
	return at;
}

static int make_room(struct rm_prompts *p)
{
	size_t places = p->places ? 2 * p->places : 1024;

	if (rm_grow(&p->item, &p->cap, p->n + 1, sizeof(*p->item)) < 0)
		return -1;
	if (2 * (p->n + 1) <= p->places)
		return 0;
	free(p->place);
	p->places = 0;
	p->place = rm_calloc(places, sizeof(*p->place));
	if (!p->place)
		return -1;
	p->places = places;
	for (size_t i = 0; i < p->n; i++)
		p->place[look_up(p, p->item[i].key)] = (uint32_t)i + 1;
	return 0;
}

static uint32_t part_of(const struct rm_seen *seen)
{
	if (!seen->part)
		return 0;
	return (uint32_t)(rm_hash64(seen->part, strlen(seen->part)) %
			  (SEVERAL - 1)) + 1;
}

static void check_part(struct rm_prompts *p, struct prompt *prompt,
		       const struct rm_seen *seen)
{
	uint32_t part = part_of(seen);

	if (!part || !prompt->part || prompt->part == SEVERAL ||
	    prompt->part == part)
		return;
	prompt->part = SEVERAL;
	if (p->several < EXAMPLES) {
		p->leak[p->several][0] = prompt->first;
		p->leak[p->several][1] = (uint32_t)seen->number;
	}
	p->several++;
}

static int add_prompt(struct rm_prompts *p, const struct rm_seen *seen)
{
	struct prompt *new;
	size_t at;

	if (make_room(p) < 0)
		return -1;
	at = look_up(p, seen->prompt);
	if (p->place[at]) {
		check_part(p, &p->item[p->place[at] - 1], seen);
		return 0;
	}
	if (p->n == MOST || seen->number >= UINT32_MAX) {
		p->beyond++;
		return 0;
	}
	new = &p->item[p->n++];
	p->place[at] = (uint32_t)p->n;
	new->key = seen->prompt;
	new->first = (uint32_t)seen->number;
	new->part = part_of(seen);
	sketch(new->sketch, p, seen->rec);
	return 0;
}

static int add_content(struct rm_prompts *p, const struct rm_seen *seen)
{
	size_t k = seen->rec->k;

	if (!seen->response)
		return 0;
	if (rm_grow(&p->hash, &p->hash_cap, k + 1, sizeof(*p->hash)) < 0)
		return -1;
	memcpy(p->hash, seen->response, k * sizeof(*p->hash));
	p->with_content++;
	return rm_distinct_add(&p->contents, rm_content_hash(
			seen->has_prompt ? seen->prompt : 0, p->hash, k));
}

int rm_prompts_add(struct rm_prompts *p, const struct rm_seen *seen)
{
	p->parts = p->parts || seen->part;
	if (add_content(p, seen) < 0)
		return -1;
	if (!seen->has_prompt)
		return 0;
	p->keyed++;
	return add_prompt(p, seen);
}

/* ---- near duplicates ---- */

struct near {
	const struct rm_prompts *p;
	uint32_t *root;			/* union-find; the least is the root */
	uint64_t *order, *spare;	/* a row of bins << 32 | prompt */
	size_t *count;			/* [DIGITS] */
	uint64_t joined, across;
	uint32_t example[EXAMPLES][2];
};

/* From order into spare, stable, by 16 bits; they change places. */
static void sort_by(struct near *w, unsigned int shift)
{
	size_t *count = w->count, sum = 0;
	uint64_t *from = w->order;

	memset(count, 0, DIGITS * sizeof(*count));
	for (size_t i = 0; i < w->p->n; i++)
		count[from[i] >> shift & 0xffff]++;
	for (size_t v = 0; v < DIGITS; v++) {
		size_t n = count[v];

		count[v] = sum;
		sum += n;
	}
	for (size_t i = 0; i < w->p->n; i++)
		w->spare[count[from[i] >> shift & 0xffff]++] = from[i];
	w->order = w->spare;
	w->spare = from;
}

static uint32_t root_of(struct near *w, uint32_t i)
{
	while (w->root[i] != i) {
		w->root[i] = w->root[w->root[i]];
		i = w->root[i];
	}
	return i;
}

/* i is the earlier one. */
static void compare(struct near *w, uint32_t i, uint32_t j)
{
	const struct prompt *item = w->p->item;
	uint32_t a = root_of(w, i), b = root_of(w, j);

	if (a == b || equal_bins(&item[i], &item[j]) < ENOUGH)
		return;
	w->root[RM_MAX(a, b)] = RM_MIN(a, b);
	if (w->joined < EXAMPLES) {
		w->example[w->joined][0] = i;
		w->example[w->joined][1] = j;
	}
	w->joined++;
	w->across += item[i].part && item[j].part &&
		     item[i].part != item[j].part;
}

/* Each with the first and the last one before it of the same row. */
static void compare_row(struct near *w, size_t row)
{
	uint32_t value;
	size_t first = 0;

	for (size_t i = 0; i < w->p->n; i++) {
		memcpy(&value, w->p->item[i].sketch + 4 * row, sizeof(value));
		w->order[i] = (uint64_t)value << 32 | i;
	}
	sort_by(w, 32);
	sort_by(w, 48);
	for (size_t i = 1; i < w->p->n; i++) {
		if (w->order[i] >> 32 != w->order[first] >> 32) {
			first = i;
			continue;
		}
		compare(w, (uint32_t)w->order[first], (uint32_t)w->order[i]);
		if (first < i - 1)
			compare(w, (uint32_t)w->order[i - 1],
				(uint32_t)w->order[i]);
	}
}

static int find_near(struct near *w)
{
	size_t n = w->p->n;

	w->root = rm_malloc(n, sizeof(*w->root));
	w->order = rm_malloc(n, sizeof(*w->order));
	w->spare = rm_malloc(n, sizeof(*w->spare));
	w->count = rm_malloc(DIGITS, sizeof(*w->count));
	if (!w->root || !w->order || !w->spare || !w->count)
		return -1;
	for (size_t i = 0; i < n; i++)
		w->root[i] = (uint32_t)i;
	for (size_t row = 0; n && row < ROWS; row++)
		compare_row(w, row);
	return 0;
}

static uint64_t clusters(struct near *w)
{
	unsigned char *larger = (unsigned char *)w->spare;
	uint64_t n = 0;

	memset(larger, 0, w->p->n);
	for (uint32_t i = 0; i < w->p->n; i++) {
		uint32_t root = root_of(w, i);

		if (root != i && !larger[root]) {
			larger[root] = 1;
			n++;
		}
	}
	return n;
}

/* ---- figures ---- */

static void put_example(json_t *rows, const struct rm_ids *ids, uint64_t a,
			uint64_t b, double alike)
{
	struct rm_buf name = {0};
	json_t *row = json_object();

	rm_ids_print(&name, ids, a);
	rm_ids_print(&name, ids, b);
	if (alike > 0)
		json_object_set_new(row, "similarity", rm_real(alike));
	json_object_set_new(row, "name", rm_text_json(
			    (struct rm_slice){ name.data, name.len }));
	json_array_append_new(rows, row);
	rm_buf_fini(&name);
}

static void put_near(json_t *all, json_t *object, struct near *w,
		     const struct rm_ids *ids)
{
	const struct prompt *item = w->p->item;
	json_t *rows = json_array();

	json_object_set_new(object, "prompts", rm_whole((double)w->p->n));
	if (w->p->beyond)
		json_object_set_new(object, "records_not_compared",
				    rm_whole((double)w->p->beyond));
	json_object_set_new(object, "near", rm_whole((double)w->joined));
	json_object_set_new(object, "clusters",
			    rm_whole((double)clusters(w)));
	if (w->p->parts)
		json_object_set_new(object, "near_across_parts",
				    rm_whole((double)w->across));
	for (size_t i = 0; i < RM_MIN(w->joined, (uint64_t)EXAMPLES); i++) {
		const struct prompt *a = &item[w->example[i][0]];
		const struct prompt *b = &item[w->example[i][1]];

		put_example(rows, ids, a->first, b->first,
			    similarity(equal_bins(a, b)));
	}
	if (json_array_size(rows))
		json_object_set_new(all, "near_prompts", rows);
	else
		json_decref(rows);
}

static void put_parts(json_t *all, json_t *object, const struct rm_prompts *p,
		      const struct rm_ids *ids)
{
	json_t *rows;

	if (!p->parts) {
		rm_lack(all, "in_several_parts", "records are in no parts");
		return;
	}
	json_object_set_new(object, "in_several_parts",
			    rm_whole((double)p->several));
	if (p->several == 0)
		return;
	rows = json_array();
	for (size_t i = 0; i < RM_MIN(p->several, (uint64_t)EXAMPLES); i++)
		put_example(rows, ids, p->leak[i][0], p->leak[i][1], 0);
	json_object_set_new(all, "prompts_in_several_parts", rows);
}

static int put_prompts(json_t *all, json_t *object,
		       const struct rm_prompts *p, const struct rm_ids *ids)
{
	struct near w = { .p = p };
	int status;

	if (p->keyed == 0) {
		rm_lack(all, "near_prompts", "no record has a prompt");
		return 0;
	}
	if (p->ids < 0 && p->text < 0) {
		rm_lack(all, "near_prompts", "no field prompt or "
			"prompt_text");
		put_parts(all, object, p, ids);
		return 0;
	}
	status = find_near(&w);
	if (status == 0) {
		put_near(all, object, &w, ids);
		put_parts(all, object, p, ids);
	}
	free(w.root);
	free(w.order);
	free(w.spare);
	free(w.count);
	return status;
}

int rm_prompts_put(json_t *all, const struct rm_prompts *p,
		   const struct rm_ids *ids)
{
	json_t *object = json_object();
	int status;

	if (p->with_content)
		json_object_set_new(object, "records", rm_whole(fmax(0,
			(double)p->with_content -
			rm_distinct_count(&p->contents))));
	else
		rm_lack(all, "duplicates", "no field responses or "
			"response_texts");
	status = put_prompts(all, object, p, ids);
	if (json_object_size(object))
		json_object_set_new(all, "duplicates", object);
	else
		json_decref(object);
	return status;
}

/* weights: see weights.h. */
#include "weights.h"
#include "io.h"
#include "tensor.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define SUFFIX ".safetensors"

/* The largest models published have some two hundred. */
#define MAX_SHARDS 1000
#define MAX_INDEX ((size_t)64 << 20)

struct rm_weights {
	const char *name;		/* SINGLE or INDEX */
	size_t n_files, cap_files;
	struct rm_safetensors **file;
	size_t n;
	const struct rm_safetensor **tensor;	/* [n] sorted by name */
};

static char *join(const char *dir, const char *name)
{
	struct rm_buf b = {0};
	size_t n = strlen(dir);

	rm_buf_printf(&b, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/",
		      name);
	return rm_buf_text(&b);
}

static bool exists(const char *dir, const char *name)
{
	char *path = join(dir, name);
	bool yes = path && access(path, F_OK) == 0;

	free(path);
	return yes;
}

static const char *base_name(const struct rm_safetensors *st)
{
	const char *path = rm_safetensors_name(st);
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- what is not read ---- */

/*
 * Loaded as the class that it was saved as, so that no head is made up, and
 * saved beside the old file, where the tokenizer is.
 */
#define CONVERT(how) "python3 -c \"import sys, transformers as t; " \
	"d = sys.argv[1]; c = t.AutoConfig.from_pretrained(d); " \
	"getattr(t, c.architectures[0]).from_pretrained(d" how \
	").save_pretrained(d)\""
#define OLD "with Transformers 4, "
#define LLAMA "convert_llama_weights_to_hf.py of Transformers " \
	"--output_dir OUT --input_dir"
#define MERGE "python3 -c \"import sys, peft; " \
	"peft.AutoPeftModelForSequenceClassification.from_pretrained(" \
	"sys.argv[1]).merge_and_unload().save_pretrained('OUT')\""
#define GGUF "python3 -c \"import os, sys, transformers as t; " \
	"d, f = os.path.split(sys.argv[1]); " \
	"t.AutoModelForCausalLM.from_pretrained(d, gguf_file=f)" \
	".save_pretrained(d)\""

/* Other forms of checkpoint, the likeliest first, and how each becomes ours;
 * the directory follows. */
static const struct {
	const char *name, *convert;
} others[] = {
	{ "pytorch_model.bin", CONVERT("") },
	{ "pytorch_model.bin.index.json", CONVERT("") },
	{ "adapter_model.safetensors", MERGE },
	{ "adapter_model.bin", MERGE },
	{ "tf_model.h5", OLD CONVERT(", from_tf=True") },
	{ "flax_model.msgpack", OLD CONVERT(", from_flax=True") },
	{ "consolidated.00.pth", LLAMA },
	{ "consolidated.pth", LLAMA },
	{ "consolidated.safetensors", LLAMA },
};

/* The first file there whose name ends so, for the caller to free. */
static char *find_suffix(const char *dir, const char *suffix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *found = NULL;
	size_t n = strlen(suffix);

	while (d && !found && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len > n && strcmp(e->d_name + len - n, suffix) == 0)
			found = rm_strdup(e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* No weights of ours: say what there is instead. */
static int refuse(const char *dir)
{
	char *gguf;

	for (size_t i = 0; i < RM_COUNT(others); i++) {
		if (exists(dir, others[i].name))
			return rm_fail("%s: %s is not read, only safetensors "
				       "are; this converts it: %s %s", dir,
				       others[i].name, others[i].convert,
				       dir);
	}
	gguf = find_suffix(dir, ".gguf");
	if (!gguf)
		return rm_fail("%s/%s: %s", dir, SINGLE, strerror(ENOENT));
	rm_fail("%s: %s is not read, only safetensors are; this converts it: "
		"%s %s/%s", dir, gguf, GGUF, dir, gguf);
	free(gguf);
	return -1;
}

/* ---- opening ---- */

/* Open a file of the directory; its number, or -1. */
static int add_file(struct rm_weights *w, const char *dir, const char *name)
{
	char *path = join(dir, name);
	struct rm_safetensors *st = NULL;

	if (w->n_files == MAX_SHARDS)
		rm_fail("more than %d shards", MAX_SHARDS);
	else if (path && rm_grow(&w->file, &w->cap_files, w->n_files + 1,
				 sizeof(*w->file)) == 0)
		st = rm_safetensors_open(path);
	free(path);
	if (!st)
		return -1;
	w->file[w->n_files] = st;
	return (int)w->n_files++;
}

static int by_name(const void *a, const void *b)
{
	const struct rm_safetensor *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* All tensors of all files in one table. */
static int collect(struct rm_weights *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_files; i++)
		n += rm_safetensors_count(w->file[i]);
	w->tensor = rm_calloc(n, sizeof(*w->tensor));
	if (!w->tensor)
		return -1;
	for (size_t i = 0; i < w->n_files; i++) {
		for (size_t j = 0; j < rm_safetensors_count(w->file[i]); j++)
			w->tensor[w->n++] = rm_safetensors_at(w->file[i], j);
	}
	qsort(w->tensor, w->n, sizeof(*w->tensor), by_name);
	return 0;
}

/* ---- the index of shards ---- */

/* A file beside the index, and no other. */
static int check_shard_name(const char *name)
{
	size_t n = strlen(name), suffix = strlen(SUFFIX);

	if (strchr(name, '/') || name[0] == '.')
		return rm_fail("shard \"%s\" is outside the directory", name);
	if (n <= suffix || strcmp(name + n - suffix, SUFFIX) != 0)
		return rm_fail("shard \"%s\" is no %s file", name, SUFFIX);
	return 0;
}

static int find_file(const struct rm_weights *w, const char *name)
{
	/* Tensors of one shard stand together, mostly. */
	for (size_t i = w->n_files; i-- > 0;) {
		if (strcmp(base_name(w->file[i]), name) == 0)
			return (int)i;
	}
	return -1;
}

/* Open every shard that the map names. */
static int open_shards(struct rm_weights *w, const char *dir,
		       const json_t *map)
{
	const char *tensor;
	json_t *value;

	json_object_foreach((json_t *)map, tensor, value) {
		const char *name = json_string_value(value);

		if (!name)
			return rm_fail("tensor %s: its shard is no string",
				       tensor);
		if (check_shard_name(name) < 0)
			return rm_wrap("tensor %s", tensor);
		if (find_file(w, name) < 0 && add_file(w, dir, name) < 0)
			return -1;
	}
	return 0;
}

/* Each tensor of the shards stands in the one that the map says. */
static int check_placed(const struct rm_weights *w, const json_t *map)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct rm_safetensor *t = w->tensor[i];
		const char *is = base_name(t->file);
		const char *said = json_string_value(
			json_object_get(map, t->name));

		if (i && strcmp(t->name, w->tensor[i - 1]->name) == 0)
			return rm_fail("tensor %s stands in two shards, %s "
				       "and %s", t->name,
				       base_name(w->tensor[i - 1]->file), is);
		if (!said)
			return rm_fail("tensor %s of %s is not in the index",
				       t->name, is);
		if (strcmp(said, is) != 0)
			return rm_fail("tensor %s stands in %s, the index "
				       "says %s", t->name, is, said);
	}
	return 0;
}

static int check_complete(const struct rm_weights *w, const json_t *map)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)map, name, value) {
		if (!rm_weights_find(w, name))
			return rm_fail("tensor %s is missing from %s", name,
				       json_string_value(value));
	}
	return 0;
}

static int read_index(struct rm_weights *w, const char *dir,
		      const json_t *index)
{
	const json_t *map = json_object_get(index, "weight_map");

	if (!json_is_object(map))
		return rm_fail("weight_map is missing or no object");
	if (open_shards(w, dir, map) < 0 || collect(w) < 0 ||
	    check_placed(w, map) < 0)
		return -1;
	return check_complete(w, map);
}

/* No shard was replaced while others were opened. */
static int check_set(const struct rm_weights *w)
{
	for (size_t i = 0; i < w->n_files; i++) {
		if (rm_safetensors_check(w->file[i]) < 0)
			return -1;
	}
	return 0;
}

static int open_index(struct rm_weights *w, const char *dir)
{
	char *path = join(dir, INDEX);
	struct rm_stamp before, after;
	json_t *index = NULL;
	int status = -1;

	w->name = INDEX;
	if (path && rm_stamp_path(&before, path) == 0)
		index = rm_json_load(path, MAX_INDEX);
	if (index) {
		status = read_index(w, dir, index);
		if (status < 0)
			rm_wrap("%s", path);
	}
	if (status == 0)
		status = check_set(w);
	if (status == 0 && rm_stamp_path(&after, path) < 0)
		status = -1;
	else if (status == 0 && !rm_stamp_equal(&before, &after))
		status = rm_fail("%s: changed while it was read", path);
	json_decref(index);
	free(path);
	return status;
}

static int open_any(struct rm_weights *w, const char *dir)
{
	w->name = SINGLE;
	if (exists(dir, SINGLE))
		return add_file(w, dir, SINGLE) < 0 ? -1 : collect(w);
	if (exists(dir, INDEX))
		return open_index(w, dir);
	return refuse(dir);
}

struct rm_weights *rm_weights_open(const char *dir)
{
	struct rm_weights *w = rm_calloc(1, sizeof(*w));

	if (w && open_any(w, dir) == 0)
		return w;
	rm_weights_close(w);
	return NULL;
}

void rm_weights_close(struct rm_weights *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_files; i++)
		rm_safetensors_close(w->file[i]);
	free(w->file);
	free(w->tensor);
	free(w);
}

size_t rm_weights_count(const struct rm_weights *w)
{
	return w->n;
}

const struct rm_safetensor *rm_weights_at(const struct rm_weights *w,
					  size_t i)
{
	return w->tensor[i];
}

const struct rm_safetensor *rm_weights_find(const struct rm_weights *w,
					    const char *name)
{
	const struct rm_safetensor key = { .name = name }, *k = &key;
	const struct rm_safetensor **found =
		bsearch(&k, w->tensor, w->n, sizeof(*w->tensor), by_name);

	return found ? *found : NULL;
}

const char *rm_weights_name(const struct rm_weights *w)
{
	return w->name;
}

/* ---- numbers ---- */

/* What is read at once; the conversion finds it in the cache. */
enum { PIECE = 256 * 1024 };

/*
 * Conversions of n numbers; they return bits that are 0 if all were finite.
 * `in` has any alignment.
 */
#define EXPONENT 0x7f800000u
#define NOT_FINITE(bits) ((uint32_t)(((bits) & EXPONENT) == EXPONENT))

RM_VECTOR static uint32_t from_f32(const unsigned char *restrict in,
				   size_t n, float *restrict out)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, in + 4 * i, 4);
		bad |= NOT_FINITE(bits);
		memcpy(&out[i], &bits, 4);
	}
	return bad;
}

/* float32 that was read to where it goes. */
RM_VECTOR static uint32_t check_f32(const float *x, size_t n)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &x[i], 4);
		bad |= NOT_FINITE(bits);
	}
	return bad;
}

/* The upper half of a float32. */
RM_VECTOR static uint32_t from_bf16(const unsigned char *restrict in,
				    size_t n, float *restrict out)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint16_t half;
		uint32_t bits;

		memcpy(&half, in + 2 * i, 2);
		bits = (uint32_t)half << 16;
		bad |= NOT_FINITE(bits);
		memcpy(&out[i], &bits, 4);
	}
	return bad;
}

/*
 * Exponent and mantissa moved to where float32 has them are the number times
 * 2^-112, subnormal ones too: that product is exact.
 */
RM_VECTOR static uint32_t from_f16(const unsigned char *restrict in,
				   size_t n, float *restrict out)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint16_t half;
		uint32_t bits, sign;
		float x;

		memcpy(&half, in + 2 * i, 2);
		bad |= (uint32_t)((half & 0x7c00) == 0x7c00);
		sign = (uint32_t)(half & 0x8000) << 16;
		bits = (uint32_t)(half & 0x7fff) << 13;
		memcpy(&x, &bits, 4);
		x *= 0x1p112f;
		memcpy(&bits, &x, 4);
		bits |= sign;
		memcpy(&out[i], &bits, 4);
	}
	return bad;
}

RM_VECTOR static uint32_t from_f64(const unsigned char *restrict in,
				   size_t n, float *restrict out)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		double x;

		memcpy(&x, in + 8 * i, 8);
		out[i] = (float)x;
		memcpy(&bits, &out[i], 4);
		bad |= NOT_FINITE(bits);
	}
	return bad;
}

typedef uint32_t convert(const unsigned char *restrict in, size_t n,
			 float *restrict out);

static convert *find_convert(enum rm_dtype dtype)
{
	switch (dtype) {
	case RM_DTYPE_F32:	return from_f32;
	case RM_DTYPE_F16:	return from_f16;
	case RM_DTYPE_BF16:	return from_bf16;
	case RM_DTYPE_F64:	return from_f64;
	default:		return NULL;
	}
}

bool rm_weights_convert(enum rm_dtype dtype, const void *in, size_t n,
			float *out)
{
	return find_convert(dtype)(in, n, out) == 0;
}

static int read_pieces(const struct rm_safetensor *t, unsigned char *piece,
		       float *out)
{
	convert *from = find_convert(t->dtype);
	size_t size = rm_dtype_size(t->dtype);
	uint32_t bad = 0;

	for (size_t at = 0; at < t->size; at += PIECE) {
		size_t n = RM_MIN(PIECE, t->size - at);
		float *to = out + at / size;

		if (rm_safetensor_read(t, at, n, piece ? (void *)piece :
				       (void *)to) < 0)
			return -1;
		bad |= piece ? from(piece, n / size, to) :
			       check_f32(to, n / size);
	}
	return bad ? rm_fail("%s: tensor %s: holds NaN or infinite values",
			     rm_safetensors_name(t->file), t->name) : 0;
}

int rm_weights_read(const struct rm_safetensor *t, float *out)
{
	unsigned char *piece = NULL;
	int status;

	if (!find_convert(t->dtype))
		return rm_fail("%s: tensor %s: dtype %s, expected F32, F16, "
			       "BF16 or F64", rm_safetensors_name(t->file),
			       t->name, rm_dtype_name(t->dtype));
	/* float32 goes to its place at once. */
	if (t->dtype != RM_DTYPE_F32) {
		piece = rm_malloc(PIECE, 1);
		if (!piece)
			return -1;
	}
	status = read_pieces(t, piece, out);
	free(piece);
	return status;
}

/* rm-model: look at model directories. */
#include "cli.h"
#include "model.h"
#include "safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const formats[] = { "text", "json", NULL };

static struct {
	const char *format;
	bool quiet;
} o = { .format = "text" };

static const struct rm_option options[] = {
	RM_OPT_CHOICE(0, "format", &o.format, "NAME",
		      "form of what show prints", formats),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

/* A subcommand is a row of commands[]. */
struct command {
	const char *name;
	/* Exit status; out is committed after 0 and RM_EXIT_CHECK. */
	int (*run)(const char *dir, struct rm_output *out);
};

static int show(const char *dir, struct rm_output *out);
static int check(const char *dir, struct rm_output *out);

static const struct command commands[] = {
	{ "show", show },
	{ "check", check },
	{ NULL, NULL }
};

static const struct rm_tool tool = {
	"rm-model", "show and check model directories",
	"show|check MODEL...", options,
	"  show MODEL   what the model is and how it was made\n"
	"  check MODEL  verify every file: shapes, fingerprints, finite\n"
	"               weights; exit 3 names what is damaged\n"
};

/* ---- show ---- */

/* "BF16"; "F32, F16" where the tensors are of several. */
static void print_dtypes(struct rm_buf *b, const struct rm_model *m)
{
	const char *comma = "";

	for (int i = 0; i <= RM_DTYPE_BOOL; i++) {
		if (!(m->dtypes >> i & 1))
			continue;
		rm_buf_printf(b, "%s%s", comma,
			      rm_dtype_name((enum rm_dtype)i));
		comma = ", ";
	}
}

static json_t *dtypes_json(const struct rm_model *m)
{
	struct rm_buf b = {0};
	json_t *text;

	print_dtypes(&b, m);
	text = rm_buf_text(&b) ? json_string((char *)b.data) : NULL;
	rm_buf_fini(&b);
	return text;
}

/* What a transformer's config.json comes to; null for others. */
static json_t *sizes_json(const struct rm_arch *a)
{
	if (!a)
		return json_null();
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "name", a->family->model_type,
			 "layers", (json_int_t)a->layers,
			 "hidden", (json_int_t)a->hidden,
			 "heads", (json_int_t)a->heads,
			 "kv_heads", (json_int_t)a->kv_heads,
			 "head_size", (json_int_t)a->head_dim,
			 "ffn", (json_int_t)a->ffn,
			 "labels", (json_int_t)a->labels);
}

static json_t *tensors_json(const struct rm_model *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->params.n; i++) {
		const struct rm_param *p = &m->params.param[i];
		json_t *shape = json_array();

		for (size_t d = 0; d < p->n_dims; d++)
			json_array_append_new(shape, json_integer(
				(json_int_t)p->shape[d]));
		json_array_append_new(list, json_pack("{s:s, s:o}",
			"name", p->name, "shape", shape));
	}
	return list;
}

static json_t *files_json(const struct rm_files *files)
{
	json_t *list = json_array();

	for (size_t i = 0; i < files->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}",
			"name", files->file[i].name,
			"size", (json_int_t)files->file[i].len));
	return list;
}

/* Numbers in all tensors; params.size counts what aligns them, too. */
static json_int_t count_parameters(const struct rm_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->params.n; i++)
		n += m->params.param[i].size;
	return (json_int_t)n;
}

/* All that is known of it, in one object. */
static json_t *describe(const char *dir, const struct rm_model *m)
{
	struct rm_fingerprint fp = rm_model_fingerprint(m);

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:b, s:O, s:O,"
			 " s:O, s:O, s:I, s:I, s:o, s:O, s:o, s:O, s:s, s:s}",
			 "model", dir, "fingerprint", fp.hex,
			 "type", json_string(m->arch && !m->wrapped ?
				m->arch->family->class : "rmtools"),
			 "sizes", sizes_json(m->arch),
			 "labels", json_integer((json_int_t)
						m->head->columns),
			 "dtype", dtypes_json(m),
			 "max_length", (json_int_t)m->max_length,
			 "fresh_head", (int)m->fresh_head,
			 "backbone", m->backbone_config,
			 "head", m->head_config,
			 "objective", m->objective,
			 "calibration", m->calibration,
			 "parameters", count_parameters(m),
			 "vocab_size", (json_int_t)m->vocab,
			 "tensors", tensors_json(m),
			 "policy", m->origin.policy,
			 "tokenizer", files_json(&m->origin.tokenizer),
			 "history", m->origin.history,
			 "tokenizer_fingerprint", m->origin.tokenizer_fp.hex,
			 "policy_fingerprint", m->origin.policy_fp.hex);
}

/* "dim=1,ngrams=5"; nested values as JSON. */
static void print_members(struct rm_buf *b, const json_t *object)
{
	const char *key, *comma = "";
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (strcmp(key, "name") == 0)
			continue;
		rm_buf_printf(b, "%s%s=", comma, key);
		if (json_is_string(value))
			rm_buf_puts(b, json_string_value(value));
		else
			rm_json_print(b, value, 0);
		comma = ",";
	}
}

/* "bag:dim=1,ngrams=5", as one would type it; a policy has no name. */
static void print_spec(struct rm_buf *b, const json_t *config)
{
	const char *name = json_string_value(json_object_get(config, "name"));

	if (name)
		rm_buf_puts(b, name);
	if (name && json_object_size(config) > 1)
		rm_buf_putc(b, ':');
	if (!name && json_object_size(config) == 0)
		rm_buf_puts(b, "none");
	print_members(b, config);
}

/* "temperature, fitted to 535 comparisons"; rm.json has the map itself. */
static void print_calibration(struct rm_buf *b, const json_t *c)
{
	const char *method = json_string_value(json_object_get(c, "method"));
	const char *on = json_string_value(json_object_get(c, "on"));

	rm_buf_printf(b, "%s, fitted to %lld %s", method ? method : "?",
		      (long long)json_integer_value(json_object_get(c, "n")),
		      on && strcmp(on, "pairs") == 0 ? "comparisons"
						     : "responses");
}

/* "tokenizer.json (4811 bytes), ..." */
static void print_files(struct rm_buf *b, const json_t *files)
{
	const json_t *row;
	size_t i;

	if (json_array_size(files) == 0)
		rm_buf_puts(b, "none");
	json_array_foreach(files, i, row)
		rm_buf_printf(b, "%s%s (%lld bytes)", i ? ", " : "",
			json_string_value(json_object_get(row, "name")),
			(long long)json_integer_value(
				json_object_get(row, "size")));
}

static void print_row(struct rm_output *out, const char *name,
		      const json_t *value)
{
	struct rm_buf b = {0};

	if (json_is_object(value) && json_object_get(value, "method"))
		print_calibration(&b, value);
	else if (json_is_object(value))
		print_spec(&b, value);
	else if (json_is_array(value))
		print_files(&b, value);
	else if (json_is_string(value))
		rm_buf_puts(&b, json_string_value(value));
	else if (json_is_null(value))
		rm_buf_puts(&b, "none");
	else
		rm_json_print(&b, value, 0);
	rm_output_printf(out, "%-12s %s\n", name, rm_buf_text(&b));
	rm_buf_fini(&b);
}

static void print_lists(struct rm_output *out, const json_t *all)
{
	struct rm_buf b = {0};
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(all, "tensors"), i, row) {
		rm_buf_clear(&b);
		rm_json_print(&b, json_object_get(row, "shape"), 0);
		rm_output_printf(out, "%-12s %s %s\n", i ? "" : "tensors",
			json_string_value(json_object_get(row, "name")),
			rm_buf_text(&b));
	}
	json_array_foreach(json_object_get(all, "history"), i, row) {
		const json_t *argv = json_object_get(row, "argv");
		const char *name = json_string_value(
			json_object_get(row, "tool"));

		rm_output_printf(out, "%-12s %s", i ? "" : "history",
				 name ? name : "?");
		for (size_t a = 0; a < json_array_size(argv); a++) {
			const char *word = json_string_value(
				json_array_get(argv, a));

			rm_output_printf(out, " %s", word ? word : "?");
		}
		rm_output_puts(out, "\n");
	}
	rm_buf_fini(&b);
}

static int print_text(struct rm_output *out, const json_t *all)
{
	static const char *const rows[] = {
		"model", "type", "fingerprint", "backbone", "head",
		"objective", "calibration", "parameters", "dtype",
		"vocab_size", "max_length", "policy", "tokenizer", NULL
	};
	const json_t *sizes = json_object_get(all, "sizes");
	bool fresh = json_is_true(json_object_get(all, "fresh_head"));

	for (size_t i = 0; rows[i]; i++) {
		const json_t *value = json_object_get(all, rows[i]);

		/* The whole of its config.json is for --format json. */
		if (strcmp(rows[i], "backbone") == 0 && json_is_object(sizes))
			value = sizes;
		/* 0 is any number of tokens. */
		if (strcmp(rows[i], "max_length") == 0 &&
		    json_integer_value(value) == 0)
			continue;
		if (strcmp(rows[i], "head") == 0 && fresh)
			rm_output_puts(out, "head         missing: a base to "
				       "train from\n");
		else
			print_row(out, rows[i], value);
	}
	print_lists(out, all);
	return 0;
}

static int show(const char *dir, struct rm_output *out)
{
	struct rm_model *m = rm_model_look(dir);
	json_t *all = m ? describe(dir, m) : NULL;
	struct rm_buf b = {0};
	int status = -1;

	if (m && !all)
		rm_fail("%s: out of memory", dir);
	if (all && strcmp(o.format, "json") == 0) {
		rm_json_print(&b, all, 0);
		rm_buf_putc(&b, '\n');
		if (!b.failed)
			status = rm_output_write(out, b.data, b.len);
	} else if (all) {
		status = print_text(out, all);
	}
	rm_buf_fini(&b);
	json_decref(all);
	rm_model_free(m);
	return status < 0 ? RM_EXIT_FAIL : RM_EXIT_OK;
}

/* ---- check ---- */

static void found(void *arg, const char *file, const char *problem)
{
	struct rm_output *out = arg;

	if (problem)
		rm_output_printf(out, "%s: damaged: %s\n", file, problem);
	else if (!o.quiet)
		rm_output_printf(out, "%s: ok\n", file);
}

static int check(const char *dir, struct rm_output *out)
{
	return rm_model_check(dir, found, out) < 0 ? RM_EXIT_CHECK :
						     RM_EXIT_OK;
}

/* ---- main ---- */

static const struct command *find(const char *name)
{
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	rm_cli_usage(&tool, "unknown command %s (show, check)", name);
}

int main(int argc, char **argv)
{
	int first = rm_cli_parse(&tool, argc, argv), status = RM_EXIT_OK;
	const struct command *c;
	struct rm_output *out;

	if (first == argc)
		rm_cli_usage(&tool, "which command?");
	c = find(argv[first]);
	if (first + 1 == argc)
		rm_cli_usage(&tool, "%s which model?", c->name);
	out = rm_output_open(NULL);
	if (!out)
		return rm_cli_end(&tool, NULL, false);
	for (int i = first + 1; i < argc; i++) {
		int one = c->run(argv[i], out);

		if (one == RM_EXIT_FAIL)
			return rm_cli_end(&tool, out, false);
		status = RM_MAX(status, one);
	}
	if (rm_cli_end(&tool, out, true) != RM_EXIT_OK)
		return RM_EXIT_FAIL;
	return status;
}

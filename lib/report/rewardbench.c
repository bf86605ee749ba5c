/* A report as a file of RewardBench's results: the score of each subset. */
#include "report/formats.h"

#include <string.h>

/* What -m or --model was given in these arguments, or NULL. */
static const char *model_of(const json_t *argv)
{
	static const char *const names[] = { "--model", "-m" };
	const json_t *arg;
	size_t i, j;

	json_array_foreach(argv, i, arg) {
		const char *s = json_string_value(arg);

		for (j = 0; s && j < RM_COUNT(names); j++) {
			size_t n = strlen(names[j]);

			if (strncmp(s, names[j], n) != 0)
				continue;
			if (!s[n])
				return json_string_value(json_array_get(argv,
								i + 1));
			/* -mDIR, --model=DIR */
			if (j == 1 || s[n] == '=')
				return s + n + (s[n] == '=');
		}
	}
	return NULL;
}

/* The model that the last rm-score used, else the name of the input. */
static const char *find_model(const struct rm_report *r)
{
	size_t i = json_array_size(r->history);

	while (i-- > 0) {
		const json_t *step = json_array_get(r->history, i);
		const char *tool = json_string_value(json_object_get(step,
								     "tool"));
		const char *model = tool && !strcmp(tool, "rm-score") ?
			model_of(json_object_get(step, "argv")) : NULL;

		if (model)
			return model;
	}
	return r->input;
}

static void put_text(struct rm_buf *out, const char *key, const char *value)
{
	rm_buf_printf(out, "    \"%s\": ", key);
	rm_json_quote(out, value, strlen(value));
}

void rm_report_rewardbench(const struct rm_report *r, struct rm_buf *out)
{
	const struct rm_suite_figures *s = r->suite;
	size_t i;

	if (!s || !s->results) {
		rm_fail("format rewardbench is of RewardBench's records%s%s",
			s ? ", not of " : "", s ? s->title : "");
		out->failed = true;
		return;
	}
	rm_buf_puts(out, "{\n");
	put_text(out, "model", find_model(r));
	rm_buf_puts(out, ",\n");
	put_text(out, "model_type", "Seq. Classifier");
	rm_buf_puts(out, ",\n");
	/* A tokenizer's own is called that there. */
	put_text(out, "chat_template", !r->chat_template ? "none" :
		 !strcmp(r->chat_template, "own") ? "tokenizer" :
		 r->chat_template);
	for (i = 0; i < s->n; i++) {
		if (s->line[i].section)
			continue;
		rm_buf_puts(out, ",\n    ");
		rm_json_quote(out, s->line[i].name, strlen(s->line[i].name));
		rm_buf_puts(out, ": ");
		rm_json_number(out, s->line[i].value);
	}
	rm_buf_puts(out, "\n}\n");
}

/* rm-tokenize: text files of preferences to a stream of groups. */
#include "cli.h"
#include "encode.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 256 };

static struct {
	const char *tokenizer, *model, *output, *format, *overlong, *template,
		*template_vars, *template_date, *learn_as, *special_tokens,
		*eos;
	struct rm_strings prompt, chosen, rejected, responses, score, rank,
		attributes, votes, subset, teacher, per_response, perturb;
	size_t max_length, learn, min_count, threads;
	bool keep_text, skip_bad, replace, cased, quiet, no_history;
} o = { .format = "auto", .learn_as = "bpe", .min_count = 2, .threads = 1 };

static const char *const answers[] = { "yes", "no", NULL };

/* The options that name columns, by the names of their roles. */
static const struct {
	const char *role;
	const struct rm_strings *columns;
} named[] = {
	{ "prompt", &o.prompt }, { "chosen", &o.chosen },
	{ "rejected", &o.rejected }, { "responses", &o.responses },
	{ "score", &o.score }, { "rank", &o.rank },
	{ "attributes", &o.attributes }, { "votes", &o.votes },
	{ "subset", &o.subset }, { "teacher", &o.teacher },
	{ "per-response", &o.per_response },
};

static const struct rm_option options[] = {
	RM_OPT_STRING('t', "tokenizer", &o.tokenizer, "TOKENIZER",
		      "a tokenizer.json, or a folder with one or with older "
		      "files; without it a token is a byte"),
	RM_OPT_STRING('m', "model", &o.model, "MODEL",
		      "tokenizer, template, special tokens and limit of this "
		      "model"),
	RM_OPT_CHOICE('f', "format", &o.format, "FORMAT",
		      "format of the files; auto goes by content, then suffix",
		      rm_text_formats),
	RM_OPT_LIST(0, "prompt", &o.prompt, "COL",
		    "column of the prompt; several are joined"),
	RM_OPT_LIST(0, "chosen", &o.chosen, "COL",
		    "column of the preferred response"),
	RM_OPT_LIST(0, "rejected", &o.rejected, "COL",
		    "column of the other response"),
	RM_OPT_LIST(0, "responses", &o.responses, "COL",
		    "column of a list of responses, or a column for each"),
	RM_OPT_LIST(0, "score", &o.score, "COL",
		    "column of scores, or one for each response"),
	RM_OPT_LIST(0, "rank", &o.rank, "COL",
		    "column of ranks (0 best), or of the winner"),
	RM_OPT_LIST(0, "attributes", &o.attributes, "A,B",
		    "columns of further scores"),
	RM_OPT_LIST(0, "votes", &o.votes, "COL",
		    "column of votes, or one for each response"),
	RM_OPT_LIST(0, "subset", &o.subset, "COL",
		    "column of the subset's name"),
	RM_OPT_LIST(0, "teacher", &o.teacher, "COL",
		    "column of another model's rewards"),
	RM_OPT_LIST(0, "per-response", &o.per_response, "COL",
		    "further columns that hold one value a response"),
	RM_OPT_STRING(0, "template", &o.template, "NAME|FILE",
		      "how messages become text: own (the tokenizer's; of "
		      "messages the default), plain, hh, chatml, a file in "
		      "Jinja; pair: two texts"),
	RM_OPT_STRING(0, "template-vars", &o.template_vars, "JSON",
		      "an object of variables for a template in Jinja"),
	RM_OPT_STRING(0, "template-date", &o.template_date, "DATE",
		      "the date that a template in Jinja writes, as "
		      "2025-01-31"),
	RM_OPT_CHOICE(0, "special-tokens", &o.special_tokens, "ANSWER",
		      "add what the tokenizer's post-processor adds, yes "
		      "unless the model says otherwise", answers),
	RM_OPT_CHOICE(0, "eos", &o.eos, "ANSWER",
		      "end plain text with the EOS token, no unless model "
		      "or tokenizer say otherwise", answers),
	RM_OPT_SIZE('l', "max-length", &o.max_length, 0, 1e9, "MAX",
		    "most tokens of prompt and response; 0: the model's "
		    "limit, or none"),
	RM_OPT_CHOICE(0, "overlong", &o.overlong, "WHAT",
		      "what to do with longer ones, left unless the model "
		      "says otherwise", rm_encode_overlongs),
	RM_OPT_EACH(0, "perturb", &o.perturb, "NAME:KEYS",
		    "change the responses' text, as typos:rate=0.05; several "
		    "in order; \"list\" explains all"),
	RM_OPT_FLAG(0, "keep-text", &o.keep_text,
		    "keep prompt_text and response_texts"),
	RM_OPT_FLAG(0, "skip-bad", &o.skip_bad,
		    "leave bad rows out and count them"),
	RM_OPT_FLAG(0, "replace", &o.replace,
		    "invalid UTF-8 becomes U+FFFD"),
	RM_OPT_SIZE(0, "learn", &o.learn, 257, 1000000, "V",
		    "learn a tokenizer of V tokens from the text instead, "
		    "and write its tokenizer.json"),
	RM_OPT_CHOICE(0, "learn-as", &o.learn_as, "TYPE",
		      "with --learn: a byte-level BPE, or WordPiece as "
		      "BERT's", rm_learner_types),
	RM_OPT_FLAG(0, "cased", &o.cased,
		    "with --learn-as wordpiece: keep case and accents"),
	RM_OPT_SIZE(0, "min-count", &o.min_count, 1, 1e9, "N",
		    "with --learn: leave out words seen less often"),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_THREADS(&o.threads),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-tokenize", "text files of preferences to a stream of groups",
	"[FILE...]", options,
	"Reads CSV, TSV, JSON lines and JSON arrays, also .gz and .zst, and "
	"knows many\ndata sets by their columns: see rm-tokenize(1).  Writes "
	"groups.\n"
};

/* ---- options ---- */

static int set_text_options(struct rm_text_options *text,
			    struct rm_text_bind bind[MAX_COLUMNS])
{
	for (size_t i = 0; i < RM_COUNT(named); i++)
		for (size_t j = 0; j < named[i].columns->n; j++) {
			if (text->n_bind == MAX_COLUMNS)
				return rm_fail("more than %d columns are "
					       "named", MAX_COLUMNS);
			bind[text->n_bind++] = (struct rm_text_bind){
				named[i].role, named[i].columns->item[j]
			};
		}
	text->bind = bind;
	text->format = o.format;
	text->skip_bad = o.skip_bad;
	text->replace = o.replace;
	text->threads = o.threads;
	return 0;
}

static enum rm_answer answer(const char *text)
{
	if (!text)
		return RM_UNSAID;
	return strcmp(text, "yes") == 0 ? RM_YES : RM_NO;
}

static struct rm_tokenizer *load_tokenizer(void)
{
	if (o.tokenizer || o.model)
		return rm_tokenizer_load(o.tokenizer ? o.tokenizer : o.model);
	return rm_tokenizer_bytes();
}

/* The variables, an object; NULL with a message. */
static json_t *parse_vars(const char *text)
{
	json_t *vars = rm_json_parse(text, strlen(text));

	if (!vars || json_is_object(vars))
		return vars;
	json_decref(vars);
	return rm_fail_null("no JSON object");
}

/* ---- learning ---- */

static int learn_text(struct rm_learner *l, const struct rm_text *text)
{
	if (text->text.data)
		return rm_learner_add(l, text->text.data, text->text.len);
	for (size_t i = 0; i < text->n; i++)
		if (rm_learner_add(l, text->message[i].content.data,
				   text->message[i].content.len) < 0)
			return -1;
	return 0;
}

static int learn_all(struct rm_learner *l, struct rm_text_reader *in)
{
	struct rm_text_batch batch;
	int got;

	while ((got = rm_text_read(in, &batch)) > 0)
		for (size_t i = 0; i < batch.n; i++) {
			const struct rm_text_group *g = batch.group[i];

			if (learn_text(l, &g->prompt) < 0)
				return -1;
			for (size_t j = 0; j < g->k; j++)
				if (learn_text(l, &g->response[j]) < 0)
					return -1;
		}
	return got;
}

static void report_learned(const struct rm_learner *l)
{
	size_t n = rm_learner_size(l), forgotten = rm_learner_forgotten(l);

	if (n < o.learn)
		rm_cli_note(&tool, "%zu tokens learned of %zu: the text has "
			    "no more to learn", n, o.learn);
	if (forgotten)
		rm_cli_note(&tool, "%zu rare words forgotten: the text has "
			    "too many to remember", forgotten);
}

static int learn(char **paths, size_t n, const struct rm_text_options *text,
		 struct rm_output *out)
{
	const struct rm_learn_options lo = {
		.type = o.learn_as, .vocab = o.learn, .cased = o.cased,
		.min_count = o.min_count, .threads = o.threads
	};
	struct rm_learner *l = rm_learner_new(&lo);
	struct rm_text_reader *in = l ? rm_text_open(paths, n, text) : NULL;
	struct rm_buf json = {0};
	int status = -1;

	if (in && learn_all(l, in) == 0 && rm_learner_finish(l, &json) == 0)
		status = rm_output_write(out, json.data, json.len);
	if (status == 0 && !o.quiet)
		report_learned(l);
	rm_buf_fini(&json);
	rm_text_close(in);
	rm_learner_free(l);
	return status;
}

/* ---- encoding ---- */

static void append(struct rm_buf *b, size_t n, const char *one,
		   const char *more)
{
	if (n)
		rm_buf_printf(b, ", %zu %s", n, n == 1 ? one : more);
}

static void report(const struct rm_encode *e)
{
	const struct rm_encode_counts *c = rm_encode_counts(e);
	const struct rm_text_counts *t = rm_encode_text_counts(e);
	struct rm_buf b = {0};

	rm_buf_printf(&b, "%zu kept, %zu cut, %zu dropped, %zu empty "
		      "response%s", c->kept, c->cut, c->dropped, c->empty,
		      c->empty == 1 ? "" : "s");
	append(&b, c->alike, "made identical by the cut",
	       "made identical by the cut");
	append(&b, t->bad, "bad row skipped", "bad rows skipped");
	append(&b, t->as_json, "boolean or number taken as text",
	       "booleans or numbers taken as text");
	append(&b, t->replaced, "row with invalid UTF-8",
	       "rows with invalid UTF-8");
	append(&b, t->unforeseen, "row with columns that the first row lacks, "
	       "left out", "rows with columns that the first row lacks, left "
	       "out");
	if (rm_buf_text(&b))
		rm_cli_note(&tool, "%s", (char *)b.data);
	rm_buf_fini(&b);
}

static int flush(void *out)
{
	return rm_output_flush(out);
}

static int copy(struct rm_encode *e, struct rm_writer *w)
{
	const struct rm_buf *payload;
	struct rm_progress progress;
	int got;

	rm_progress_start(&progress, &tool, "groups", 0, o.quiet);
	while ((got = rm_encode_next(e, &payload)) > 0) {
		if (rm_writer_write(w, payload) < 0)
			got = -1;
		if (got < 0)
			break;
		rm_progress_update(&progress, (double)rm_writer_records(w),
				   NULL);
	}
	rm_progress_end(&progress);
	return got < 0 ? -1 : rm_writer_finish(w);
}

/* In the history, as the policy is what a model must see again. */
static int add_history(struct rm_header *h, const struct rm_perturb *perturb,
		       int argc, char **argv)
{
	json_t *step;

	if (o.no_history)
		return 0;
	if (rm_header_add_history(h, tool.name, argc, argv, -1) < 0)
		return -1;
	step = json_array_get(h->history, json_array_size(h->history) - 1);
	if (perturb && json_object_set_new(step, "perturb", json_deep_copy(
					   rm_perturb_config(perturb))) < 0)
		return rm_fail("out of memory");
	return 0;
}

static int encode(char **paths, size_t n, int argc, char **argv,
		  struct rm_encode_options *eo, struct rm_output *out)
{
	struct rm_tokenizer *tokenizer = NULL;
	struct rm_encode *e = NULL;
	struct rm_writer *w = NULL;
	json_t *keep = NULL;
	int status = -1;

	if (o.model && rm_encode_policy(o.model, eo, &keep) < 0)
		goto end;
	if ((o.model || o.tokenizer) &&
	    rm_model_limit(o.model ? o.model : o.tokenizer,
			   &eo->model_limit) < 0)
		goto end;
	tokenizer = load_tokenizer();
	e = tokenizer ? rm_encode_open(paths, n, tokenizer, eo) : NULL;
	if (!e)
		goto end;
	rm_encode_on_pause(e, flush, out);
	if (add_history(rm_encode_header(e), eo->perturb, argc, argv) < 0)
		goto end;
	w = rm_writer_open(out, rm_encode_header(e));
	if (w)
		status = copy(e, w);
	if (status == 0 && !o.quiet)
		report(e);
end:
	rm_writer_free(w);
	rm_encode_close(e);
	rm_tokenizer_free(tokenizer);
	json_decref(keep);
	return status;
}

static int list_perturbations(void)
{
	struct rm_output *out = rm_output_open(o.output);
	struct rm_buf text = {0};
	int status = -1;

	rm_perturb_list(&text);
	if (out && !text.failed)
		status = rm_output_write(out, text.data, text.len);
	rm_buf_fini(&text);
	return rm_cli_end(&tool, out, status == 0);
}

static struct rm_perturb *parse_perturbations(void)
{
	struct rm_perturb *p;

	if (o.perturb.n == 0)
		return NULL;
	if (o.learn)
		rm_cli_usage(&tool, "--learn learns from the text as it is: "
			     "no --perturb");
	p = rm_perturb_new(o.perturb.item, o.perturb.n);
	if (!p)
		rm_cli_usage(&tool, "--perturb: %s", rm_error());
	return p;
}

int main(int argc, char **argv)
{
	static struct rm_text_bind bind[MAX_COLUMNS];
	struct rm_encode_options eo = {0};
	struct rm_output *out;
	struct rm_perturb *perturb;
	json_t *vars = NULL;
	char **paths;
	size_t n;
	int first, status;

	first = rm_cli_parse(&tool, argc, argv);
	if (o.perturb.n == 1 && strcmp(o.perturb.item[0], "list") == 0)
		return list_perturbations();
	rm_cli_need_input(&tool, argc, first);
	if (o.tokenizer && o.model)
		rm_cli_usage(&tool, "-t and -m both name a tokenizer");
	if (o.learn && !o.output)
		rm_cli_usage(&tool, "--learn needs -o tokenizer.json");
	if (o.template && rm_encode_check_template(o.template) < 0)
		rm_cli_usage(&tool, "--template: %s", rm_error());
	if (o.template_vars && !(vars = parse_vars(o.template_vars)))
		rm_cli_usage(&tool, "--template-vars: %s", rm_error());
	if (set_text_options(&eo.text, bind) < 0)
		rm_cli_usage(&tool, "%s", rm_error());
	eo.template = o.template;
	eo.template_vars = vars;
	eo.template_date = o.template_date;
	eo.max_length = o.max_length;
	eo.overlong = o.overlong;
	eo.special_tokens = answer(o.special_tokens);
	eo.eos = answer(o.eos);
	eo.keep_text = o.keep_text;
	eo.perturb = perturb = parse_perturbations();
	paths = argv + first;
	n = (size_t)(argc - first);
	out = rm_output_open(o.output);
	status = -1;
	if (out)
		status = o.learn ? learn(paths, n, &eo.text, out)
				 : encode(paths, n, argc, argv, &eo, out);
	for (size_t i = 0; i < RM_COUNT(named); i++)
		rm_strings_fini((struct rm_strings *)(uintptr_t)
				named[i].columns);
	rm_strings_fini(&o.perturb);
	rm_perturb_free(perturb);
	json_decref(vars);
	return rm_cli_end(&tool, out, status == 0);
}

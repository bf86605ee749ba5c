/* rm-score: rewards of a model for every response of a stream. */
#include "attack.h"
#include "calib.h"
#include "cli.h"
#include "encode.h"
#include "model.h"
#include "tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *model, *field, *output, *label, *precision, *attack;
	bool prob, rank, keep_ids, force, no_history, quiet;
	size_t best, batch, threads, max_record;
} o = {
	.field = "reward", .precision = "auto", .threads = 1,
	.max_record = RM_MAX_RECORD
};


static const struct rm_option options[] = {
	RM_OPT_STRING('m', "model", &o.model, "MODEL",
		      "the model directory"),
	RM_OPT_STRING(0, "field", &o.field, "NAME",
		      "field that takes the rewards"),
	RM_OPT_FLAG(0, "prob", &o.prob,
		    "add prob, P(first preferred), where k = 2"),
	RM_OPT_FLAG(0, "rank", &o.rank,
		    "add reward_rank, 0 for the highest reward"),
	RM_OPT_SIZE(0, "best", &o.best, 0, 1e9, "N",
		    "keep the N best responses, best first; 0: all as is"),
	RM_OPT_STRING(0, "attack", &o.attack, "NAME:KEYS",
		      "also the rewards under an attack on the inputs, as "
		      "fgsm:eps=0.01/0.02; \"list\" explains all"),
	RM_OPT_FLAG(0, "keep-ids", &o.keep_ids,
		    "keep the token ids (prompt, responses)"),
	RM_OPT_STRING(0, "label", &o.label, "NAME",
		      "of a checkpoint with several labels: whose logit is "
		      "the reward"),
	RM_OPT_PRECISION(&o.precision),
	RM_OPT_SIZE(0, "batch", &o.batch, 0, 1e9, "TOKENS",
		    "tokens scored at once; 0: as suits the model"),
	RM_OPT_THREADS(&o.threads),
	RM_OPT_FLAG(0, "force", &o.force,
		    "replace the field; mix tokenizers and policies"),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-score", "score responses with a reward model",
	"-m MODEL [FILE...]", options,
	"Reads groups or pairs and writes them with a field reward; reads\n"
	"JSON lines of text {\"prompt\": ..., \"response\": ...} (or\n"
	"\"responses\": [...]) and writes JSON lines at once.\n"
};

/* ---- what waits to be scored ---- */

/*
 * A record's payload, copied into the arena.  Its responses are leaves of
 * the batch from first_leaf on.
 */
struct waiting {
	struct rm_slice payload;
	size_t first_leaf;
};

struct scorer {
	struct rm_model *model;
	size_t column;			/* of the scores: the reward */
	bool sd, objectives;		/* what the head has beside it */
	struct rm_attack *attack;	/* NULL: none */
	json_t *attack_config;
	const double *attacked;		/* [eps][leaves] of what waits */
	struct rm_calib *calib;		/* for --prob; NULL: the sigmoid */
	const struct rm_schema *schema;	/* of the input */
	int prompt, responses;
	size_t *keep;			/* [n_keep] fields that go on */
	size_t n_keep;
	struct rm_header header;	/* of the output */

	struct rm_arena arena;
	struct waiting *waiting;
	size_t n_waiting, cap_waiting;
	struct rm_record rec;		/* the waiting one being written */
	struct rm_batch batch;
	struct rm_slice *response;	/* scratch */
	size_t cap_response;
	const rm_real *scores;		/* [k, K] of the record being written */
	double *reward;			/* [k] and scratch [k] */
	size_t *order;			/* [n] responses that are written */
	int32_t *rank;
	size_t cap_reward, cap_order, cap_rank;
	struct rm_buf payload;

	struct rm_output *out;
	struct rm_writer *writer;	/* NULL: JSON lines */
	struct rm_record line;		/* the payload, indexed for those */
	struct rm_buf json;
	size_t done;
	struct rm_progress progress;
};

/* ---- the fields that come out ---- */

enum { MOST_NEW = 6 };

/* The fields that are added, in their order; how many. */
static size_t new_fields(const struct scorer *s, const char *name[MOST_NEW])
{
	size_t n = 0;

	name[n++] = o.field;
	if (s->sd)
		name[n++] = "reward_sd";
	if (s->objectives)
		name[n++] = "objectives";
	if (o.attack)
		name[n++] = "attack";
	if (o.prob)
		name[n++] = "prob";
	if (o.rank)
		name[n++] = "reward_rank";
	return n;
}

/*
 * Fields of the input that the output does not have.  What another model said
 * beside its reward goes with that.
 */
static bool is_dropped(const struct scorer *s, size_t f)
{
	const char *name = s->schema->field[f].name, *new[MOST_NEW];
	size_t n = new_fields(s, new);

	if (strcmp(o.field, "reward") == 0 &&
	    (strcmp(name, "reward_sd") == 0 ||
	     strcmp(name, "objectives") == 0 || strcmp(name, "attack") == 0))
		return true;
	if (!o.keep_ids && ((int)f == s->prompt || (int)f == s->responses))
		return true;
	/* --best changes the order that these speak of. */
	if (o.best && (strcmp(name, "p") == 0 || strcmp(name, "margin") == 0))
		return true;
	while (n > 0 && strcmp(name, new[n - 1]) != 0)
		n--;
	return n > 0;
}

static int check_new(const struct rm_schema *schema, const char *name,
		     const char *in)
{
	if (o.force || rm_schema_find(schema, name) < 0)
		return 0;
	return rm_fail("%s: field %s is there already: --force replaces it",
		       in, name);
}

static int choose_fields(struct scorer *s, const char *in)
{
	struct rm_schema *to = &s->header.schema;
	const char *new[MOST_NEW];
	size_t n = s->schema->n, n_new = new_fields(s, new);

	for (size_t i = 0; i < n_new; i++)
		if (check_new(s->schema, new[i], in) < 0)
			return -1;
	s->keep = rm_calloc(n, sizeof(*s->keep));
	if (!s->keep)
		return -1;
	for (size_t f = 0; f < n; f++) {
		if (!is_dropped(s, f))
			s->keep[s->n_keep++] = f;
	}
	for (size_t f = n; f-- > 0;) {
		if (is_dropped(s, f))
			rm_schema_drop(to, f);
	}
	if (rm_schema_add_typed(to, new[0], RM_F64_K) < 0)
		return -1;
	for (size_t i = 1; i < n_new; i++)
		if (rm_schema_add(to, new[i]) < 0)
			return -1;
	return 0;
}

static int add_history(struct scorer *s, int argc, char **argv)
{
	struct rm_fingerprint fp = rm_model_fingerprint(s->model);
	json_t *history = s->header.history, *step;

	if (o.no_history)
		return 0;
	if (rm_header_add_history(&s->header, tool.name, argc, argv, -1) < 0)
		return -1;
	step = json_array_get(history, json_array_size(history) - 1);
	if (json_object_set_new(step, "model", json_string(fp.hex)) < 0 ||
	    (s->attack &&
	     json_object_set(step, "attack", s->attack_config) < 0))
		return rm_fail("out of memory");
	return 0;
}

/* From the input's header and the model to the output's header. */
static int set_up(struct scorer *s, const struct rm_header *h,
		  const char *in, int argc, char **argv)
{
	s->schema = &h->schema;
	s->responses = rm_schema_need(s->schema, "responses",
				      ": run rm-tokenize first, or keep the "
				      "ids with --keep-ids");
	if (s->responses < 0)
		return rm_wrap("%s", in);
	s->prompt = rm_schema_find(s->schema, "prompt");
	if (rm_model_match(s->model, o.model, h, in, o.force) < 0 ||
	    rm_model_set_types(s->model, s->model->recorded ?
			       s->model->origin.policy : h->policy) < 0 ||
	    rm_header_copy(&s->header, h) < 0 ||
	    choose_fields(s, in) < 0)
		return -1;
	if (s->attack &&
	    rm_attack_labels(s->attack, s->schema, h->pairs) < 0)
		return rm_wrap("%s", in);
	if (o.best)
		s->header.pairs = false;
	return add_history(s, argc, argv);
}

/* ---- writing ---- */

/* P(first preferred) of two rewards. */
static double probability(const struct scorer *s, const double *reward)
{
	double d = reward[0] - reward[1];

	if (s->calib)
		return rm_calib_prob(s->calib, d);
	return d >= 0 ? 1 / (1 + exp(-d)) : exp(d) / (1 + exp(d));
}

/* Higher rewards first, earlier responses first among equals. */
static int by_reward(const void *a, const void *b, void *rewards)
{
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const double *reward = rewards;

	if (reward[i] != reward[j])
		return reward[i] > reward[j] ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* order[n]: the responses, best first. */
static void fill_order(struct scorer *s, double *reward, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->order[i] = i;
	qsort_r(s->order, n, sizeof(*s->order), by_reward, reward);
}

/* rank[n]: how many have a higher reward. */
static void fill_ranks(struct scorer *s, double *reward, size_t n)
{
	fill_order(s, reward, n);
	for (size_t i = 0; i < n; i++) {
		size_t this = s->order[i];
		bool tie = i > 0 && !(reward[s->order[i - 1]] > reward[this]);

		s->rank[this] = tie ? s->rank[s->order[i - 1]] : (int32_t)i;
	}
}

static void put_fields(struct scorer *s, const struct rm_record *rec,
		       size_t n)
{
	for (size_t i = 0; i < s->n_keep; i++) {
		size_t f = s->keep[i];

		if (o.best)
			rm_put_selected(&s->payload, rec, f, s->order, n);
		else
			rm_put_raw(&s->payload, rec->field[f]);
	}
}

/* What the head says how sure it is of the n responses that are written. */
static void put_sd(struct scorer *s, double *scratch, size_t n)
{
	const struct rm_head *h = s->model->head;

	for (size_t i = 0; i < n; i++)
		scratch[i] = rm_head_sd(h, s->scores + s->order[i] *
					h->columns);
	rm_put_f64s(&s->payload, scratch, n);
}

/* The columns behind the reward, by name. */
static void put_objectives(struct scorer *s, double *scratch, size_t n)
{
	const struct rm_head *h = s->model->head;

	rm_put_map(&s->payload, h->columns - 1);
	for (size_t k = 1; k < h->columns; k++) {
		rm_put_str(&s->payload, h->names[k - 1],
			   strlen(h->names[k - 1]));
		for (size_t i = 0; i < n; i++)
			scratch[i] = (double)s->scores[s->order[i] *
						       h->columns + k];
		rm_put_f64s(&s->payload, scratch, n);
	}
}

/* Rewards under attack, by eps; `first` is the record's first leaf. */
static void put_attacked(struct scorer *s, size_t first, double *scratch,
			 size_t n)
{
	const struct rm_numbers *eps = rm_attack_eps(s->attack);
	size_t leaves = s->batch.n_leaves;
	char name[32];

	rm_put_map(&s->payload, eps->n);
	for (size_t e = 0; e < eps->n; e++) {
		const double *from = s->attacked + e * leaves + first;

		rm_format_double(eps->x[e], name);
		rm_put_str(&s->payload, name, strlen(name));
		for (size_t i = 0; i < n; i++)
			scratch[i] = from[s->order[i]];
		rm_put_f64s(&s->payload, scratch, n);
	}
}

/* What of the scores is no reward, for responses in s->order. */
static void put_beside(struct scorer *s, size_t first, double *scratch,
		       size_t n)
{
	for (size_t i = 0; !o.best && i < n; i++)
		s->order[i] = i;
	if (s->sd)
		put_sd(s, scratch, n);
	if (s->objectives)
		put_objectives(s, scratch, n);
	if (s->attack)
		put_attacked(s, first, scratch, n);
}

/* The record with its rewards as a payload. */
static void build(struct scorer *s, const struct rm_record *rec,
		  size_t first)
{
	size_t n = o.best ? RM_MIN(o.best, rec->k) : rec->k;
	double *reward = s->reward, *scratch = reward + rec->k;

	rm_buf_clear(&s->payload);
	rm_put_array(&s->payload, s->header.schema.n);
	if (o.best)
		fill_order(s, reward, rec->k);
	put_fields(s, rec, n);
	if (o.best) {
		/* The second half holds them in order. */
		for (size_t i = 0; i < n; i++)
			scratch[i] = reward[s->order[i]];
		scratch = reward;
		reward += rec->k;
	}
	rm_put_f64s(&s->payload, reward, n);
	put_beside(s, first, scratch, n);
	if (o.prob && n == 2)
		rm_put_f64(&s->payload, probability(s, reward));
	else if (o.prob)
		rm_put_nil(&s->payload);
	if (o.rank) {
		fill_ranks(s, reward, n);
		rm_put_i32s(&s->payload, s->rank, n);
	}
}

static int write_line(struct scorer *s)
{
	if (s->payload.failed ||
	    rm_record_index(&s->line, &s->header.schema, s->payload.data,
			    s->payload.len) < 0)
		return -1;
	rm_buf_clear(&s->json);
	if (rm_record_print(&s->json, &s->line) < 0)
		return -1;
	rm_buf_putc(&s->json, '\n');
	if (s->json.failed)
		return -1;
	return rm_output_write(s->out, s->json.data, s->json.len);
}

static int make_room(struct scorer *s, size_t k)
{
	if (rm_grow(&s->reward, &s->cap_reward, 2 * k,
		    sizeof(*s->reward)) < 0 ||
	    rm_grow(&s->order, &s->cap_order, k, sizeof(*s->order)) < 0 ||
	    rm_grow(&s->rank, &s->cap_rank, k, sizeof(*s->rank)) < 0)
		return -1;
	return 0;
}

static int write_one(struct scorer *s, const struct waiting *w,
		     const rm_real *scores)
{
	size_t K = s->model->head->columns;

	if (rm_record_index(&s->rec, s->schema, w->payload.data,
			    w->payload.len) < 0 ||
	    make_room(s, s->rec.k) < 0)
		return -1;
	s->scores = scores + w->first_leaf * K;
	for (size_t i = 0; i < s->rec.k; i++)
		s->reward[i] = (double)s->scores[i * K + s->column];
	build(s, &s->rec, w->first_leaf);
	return s->writer ? rm_writer_write(s->writer, &s->payload) :
			   write_line(s);
}

/* Score and write all that waits. */
static int score_waiting(struct scorer *s)
{
	const rm_real *scores;

	if (s->n_waiting == 0)
		return 0;
	/* First, as it leaves its own scores behind. */
	if (s->attack)
		s->attacked = rm_attack_run(s->attack, &s->batch);
	scores = s->attack && !s->attacked ? NULL :
		rm_model_forward(s->model, &s->batch);
	if (!scores)
		return rm_wrap("records %zu to %zu", s->done + 1,
			       s->done + s->n_waiting);
	for (size_t i = 0; i < s->n_waiting; i++) {
		if (write_one(s, &s->waiting[i], scores) < 0)
			return -1;
	}
	s->done += s->n_waiting;
	s->n_waiting = 0;
	rm_batch_clear(&s->batch);
	if (s->attack)
		rm_attack_clear(s->attack);
	rm_arena_reset(&s->arena);
	rm_progress_update(&s->progress, (double)s->done, NULL);
	return 0;
}

/* The input pauses: whoever feeds us may wait for an answer. */
static int on_pause(void *arg)
{
	struct scorer *s = arg;

	return score_waiting(s) < 0 ? -1 : rm_output_flush(s->out);
}

/* ---- reading ---- */

static int copy_payload(struct scorer *s, struct rm_slice *to,
			const struct rm_record *rec)
{
	unsigned char *copy = rm_arena_alloc(&s->arena, rec->len, 1);

	if (!copy)
		return -1;
	memcpy(copy, rec->data, rec->len);
	*to = (struct rm_slice){ copy, rec->len };
	return 0;
}

static int add_to_batch(struct scorer *s, const struct rm_record *rec)
{
	struct rm_slice prompt = rm_record_bytes(rec, s->prompt);

	if (s->attack)
		return rm_attack_add(s->attack, &s->batch, rec, prompt,
				     s->response);
	return rm_batch_add(&s->batch, prompt, s->response, rec->k,
			    s->model->prompt);
}

static int take(struct scorer *s, const struct rm_record *rec)
{
	struct waiting *w;

	if (rm_record_is_nil(rec, s->responses))
		return rm_fail("field responses is nil");
	if (rm_grow(&s->waiting, &s->cap_waiting, s->n_waiting + 1,
		    sizeof(*s->waiting)) < 0 ||
	    rm_grow(&s->response, &s->cap_response, rec->k,
		    sizeof(*s->response)) < 0)
		return -1;
	w = &s->waiting[s->n_waiting];
	w->first_leaf = s->batch.n_leaves;
	rm_record_elements(rec, s->responses, s->response);
	if (copy_payload(s, &w->payload, rec) < 0 ||
	    add_to_batch(s, rec) < 0)
		return -1;
	s->n_waiting++;
	return 0;
}

/* Score what waits once it is enough. */
static int score_full(struct scorer *s)
{
	if (s->batch.n_tokens < o.batch && s->n_waiting < o.batch)
		return 0;
	return score_waiting(s);
}

static int score_stream(struct scorer *s, struct rm_reader *in, int argc,
			char **argv)
{
	const struct rm_record *rec;
	int got;

	if (set_up(s, rm_reader_header(in), rm_reader_name(in), argc,
		   argv) < 0)
		return -1;
	s->writer = rm_writer_open(s->out, &s->header);
	if (!s->writer)
		return -1;
	rm_reader_on_pause(in, on_pause, s);
	while ((got = rm_reader_next(in, &rec)) > 0) {
		if (take(s, rec) < 0)
			return rm_reader_wrap(in);
		if (score_full(s) < 0)
			return -1;
	}
	if (got < 0 || score_waiting(s) < 0)
		return -1;
	return rm_writer_finish(s->writer);
}

/* ---- text ---- */

static int score_lines(struct scorer *s, struct rm_encode *e,
		       const char *name)
{
	struct rm_record rec = {0};
	const struct rm_buf *payload;
	int got, status = 0;

	rm_encode_on_pause(e, on_pause, s);
	while (status == 0 && (got = rm_encode_next(e, &payload)) != 0) {
		if (got < 0)
			status = -1;
		else if (rm_record_index(&rec, s->schema, payload->data,
					 payload->len) < 0 ||
			 take(s, &rec) < 0)
			status = rm_wrap("%s", name);
		else
			status = score_full(s);
	}
	rm_record_fini(&rec);
	return status < 0 ? -1 : score_waiting(s);
}

/* Under the tokenizer and the policy that the model was trained with. */
static int score_text(struct scorer *s, struct rm_input *in, int argc,
		      char **argv)
{
	struct rm_encode_options how = { .text.format = "jsonl" };
	struct rm_tokenizer *t = rm_model_tokenizer(s->model, o.model);
	char *name = rm_strdup(rm_input_name(in));
	struct rm_encode *e = NULL;
	json_t *keep = NULL;
	int status = -1;

	how.model_limit = s->model->max_length;
	if (t && name && rm_encode_policy(o.model, &how, &keep) == 0)
		e = rm_encode_open_input(in, t, &how);
	else
		rm_input_close(in);
	if (e && set_up(s, rm_encode_header(e), name, argc, argv) == 0)
		status = score_lines(s, e, name);
	rm_encode_close(e);
	json_decref(keep);
	rm_tokenizer_free(t);
	free(name);
	return status;
}

/* ---- main ---- */

/*
 * One input may be text: its first byte tells.  Of several, all are
 * streams.
 */
static int score_one(struct scorer *s, const char *path, int argc,
		     char **argv)
{
	const struct rm_reader_options how = {
		.max_record = o.max_record, .force = o.force
	};
	struct rm_input *in = rm_input_open(path);
	const unsigned char *first;
	struct rm_reader *r;
	ssize_t n;
	int status;

	n = in ? rm_input_peek(in, &first, 1) : -1;
	if (n < 0) {
		rm_input_close(in);
		return -1;
	}
	if (n > 0 && *first == '{')
		return score_text(s, in, argc, argv);
	r = rm_reader_open_input(in, &how);
	status = r ? score_stream(s, r, argc, argv) : -1;
	rm_reader_close(r);
	return status;
}

/* Of several labels one is the reward, and only the user knows which. */
static int choose_label(struct scorer *s)
{
	const json_t *names = s->model->wrapped ? NULL :
		json_object_get(s->model->config, "id2label");
	struct rm_buf list = {0};
	const char *id;
	json_t *v;

	if (!o.label && (!names || json_object_size(names) < 2))
		return 0;
	json_object_foreach((json_t *)names, id, v) {
		const char *name = json_string_value(v);

		if (o.label && name && strcmp(name, o.label) == 0)
			return rm_parse_size(id, 0, s->model->head->columns -
					     1, &s->column);
		rm_buf_printf(&list, "%s%s", list.len ? ", " : "",
			      name ? name : id);
	}
	rm_fail("%s: %s; its labels are %s", o.model, o.label ?
		"no label of that name" : "several labels: say with --label "
		"which one is the reward", rm_buf_text(&list));
	rm_buf_fini(&list);
	return -1;
}

static int set_attack(struct scorer *s)
{
	if (!s->attack_config)
		return 0;
	s->attack = rm_attack_new(s->attack_config, s->model, s->column);
	return s->attack ? 0 : -1;
}

/* A batch that an attack goes back through keeps what all layers made. */
static size_t usual_batch(const struct scorer *s)
{
	return !s->model->config ? 65536 : s->attack ? 2048 : 8192;
}

static int load_model(struct scorer *s)
{
	s->model = rm_model_load(o.model, NULL);
	if (!s->model || choose_label(s) < 0 || set_attack(s) < 0 ||
	    rm_model_ready(s->model, rm_cli_precision(o.precision)) < 0)
		return -1;
	/* They are of the field reward. */
	if (strcmp(o.field, "reward") == 0) {
		s->sd = rm_head_has_sd(s->model->head);
		s->objectives = s->model->head->names != NULL;
	}
	if (o.batch == 0)
		o.batch = usual_batch(s);
	if (!o.prob || json_is_null(s->model->calibration))
		return 0;
	s->calib = rm_calib_from_json(s->model->calibration);
	if (!s->calib)
		return rm_wrap("%s/rm.json: calibration", o.model);
	if (!rm_calib_pairs(s->calib))
		return rm_fail("%s: its calibration is of single responses: "
			       "it has no P(first preferred)", o.model);
	return 0;
}

static int score(struct scorer *s, int argc, char **argv, int first)
{
	const struct rm_reader_options how = {
		.max_record = o.max_record, .force = o.force
	};
	struct rm_reader *r;
	int status;

	if (load_model(s) < 0)
		return -1;
	s->out = rm_output_open(o.output);
	if (!s->out)
		return -1;
	rm_progress_start(&s->progress, &tool, "records", 0, o.quiet);
	if (argc - first < 2) {
		status = score_one(s, first < argc ? argv[first] : "-", argc,
				   argv);
	} else {
		r = rm_reader_open(argv + first, (size_t)(argc - first),
				   &how);
		status = r ? score_stream(s, r, argc, argv) : -1;
		rm_reader_close(r);
	}
	rm_progress_end(&s->progress);
	return status;
}

static void fini(struct scorer *s)
{
	rm_writer_free(s->writer);
	rm_header_fini(&s->header);
	rm_record_fini(&s->line);
	rm_record_fini(&s->rec);
	rm_arena_fini(&s->arena);
	rm_batch_fini(&s->batch);
	rm_buf_fini(&s->payload);
	rm_buf_fini(&s->json);
	rm_attack_free(s->attack);
	json_decref(s->attack_config);
	rm_calib_free(s->calib);
	rm_model_free(s->model);
	free(s->keep);
	free(s->waiting);
	free(s->response);
	free(s->reward);
	free(s->order);
	free(s->rank);
}

static int list_attacks(struct scorer *s)
{
	struct rm_buf text = {0};
	int status = -1;

	rm_attack_list(&text);
	s->out = rm_output_open(o.output);
	if (s->out && !text.failed)
		status = rm_output_write(s->out, text.data, text.len);
	rm_buf_fini(&text);
	return status;
}

static void parse_attack(struct scorer *s)
{
	s->attack_config = rm_attack_parse(o.attack);
	if (!s->attack_config)
		rm_cli_usage(&tool, "--attack: %s", rm_error());
	if (strcmp(o.field, "reward") != 0)
		rm_cli_usage(&tool, "--attack goes with the field reward, "
			     "not with --field %s", o.field);
}

int main(int argc, char **argv)
{
	struct scorer s = {0};
	int first, status;

	first = rm_cli_parse(&tool, argc, argv);
	if (o.attack && strcmp(o.attack, "list") == 0) {
		status = list_attacks(&s);
		return rm_cli_end(&tool, s.out, status == 0);
	}
	if (o.attack)
		parse_attack(&s);
	if (!o.model)
		rm_cli_usage(&tool, "-m MODEL is needed");
	rm_cli_need_input(&tool, argc, first);
	rm_threads_set(o.threads);
	status = score(&s, argc, argv, first);
	fini(&s);
	return rm_cli_end(&tool, s.out, status == 0);
}

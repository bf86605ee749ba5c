#include "encode.h"

#include "encode/group.h"

#include <stdlib.h>
#include <string.h>

#include <omp.h>

const char *const rm_encode_overlongs[] = {
	"left", "right", "middle", "drop", "error", NULL
};

struct payload {
	size_t worker, start, len;
	bool dropped;
	char *error;
};

struct rm_encode {
	struct rm_recipe recipe;
	struct rm_text_reader *reader;
	struct rm_header header;
	rm_encode_put_fn *put[RM_ENCODE_FIELDS];
	size_t threads;
	struct rm_encode_worker *worker;
	struct rm_text_batch batch;
	struct payload *payload;	/* [batch.n] */
	size_t cap_payload;
	size_t at;
	struct rm_buf view;		/* borrows a worker's bytes */
	struct rm_encode_counts counts;
};

/* ---- the header ---- */

static int make_header(struct rm_encode *e, const json_t *model_policy)
{
	struct rm_header *h = &e->header;
	json_t *policy;

	if (rm_header_init(h) < 0 ||
	    rm_encode_schema(e->reader, e->recipe.keep_text, &h->schema,
			     e->put) < 0 ||
	    rm_files_copy(&h->tokenizer,
			  rm_tokenizer_files(e->recipe.tokenizer)) < 0)
		return -1;
	/* Under its usual name, wherever it came from. */
	if (e->recipe.own &&
	    rm_files_put(&h->tokenizer, "chat_template.jinja",
			 e->recipe.source.data, e->recipe.source.len) < 0)
		return -1;
	h->tokenizer_fp = rm_tokenizer_fingerprint(e->recipe.tokenizer);
	policy = rm_recipe_policy(&e->recipe, model_policy);
	return policy ? rm_header_set_policy(h, policy) : -1;
}

/* ---- opening ---- */

static int set_options(struct rm_encode *e,
		       const struct rm_encode_options *o)
{
	const char *overlong = o->overlong ? o->overlong : "left";
	struct rm_buf names = {0};

	if (o->model_limit && o->max_length > o->model_limit)
		return rm_fail("a limit of %zu tokens is more than the %zu "
			       "that the model can take", o->max_length,
			       o->model_limit);
	e->recipe.max_length = o->max_length ? o->max_length :
			       o->model_limit;
	e->recipe.model_limit = !o->max_length && o->policy;
	e->recipe.keep_text = o->keep_text;
	e->recipe.perturb = o->perturb;
	e->threads = o->text.threads ? o->text.threads : 1;
	for (size_t i = 0; rm_encode_overlongs[i]; i++)
		if (strcmp(rm_encode_overlongs[i], overlong) == 0) {
			e->recipe.overlong = (enum rm_overlong)i;
			return rm_recipe_set_template(&e->recipe, o) < 0 ?
			       -1 : rm_recipe_set_special(&e->recipe, o);
		}
	rm_join_names(&names, rm_encode_overlongs);
	rm_fail("overlong: '%s' is not one of %s", overlong,
		rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

static struct rm_encode *start(const struct rm_tokenizer *tokenizer,
			       const struct rm_encode_options *o)
{
	struct rm_encode *e = rm_calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->recipe.tokenizer = tokenizer;
	if (set_options(e, o) < 0)
		goto fail;
	e->worker = rm_calloc(e->threads, sizeof(*e->worker));
	if (e->worker)
		return e;
fail:
	rm_encode_close(e);
	return NULL;
}

/* Without a name, what the data has decides; the reader is open. */
static int set_default(struct rm_encode *e, const struct rm_encode_options *o)
{
	int got = 0;

	if (!o->template && rm_text_has_messages(e->reader))
		got = rm_recipe_set_default(&e->recipe);
	if (got > 0) {
		rm_text_set_as_messages(e->reader);
		return rm_recipe_set_special(&e->recipe, o);
	}
	if (got == 0 && !o->template && (o->template_vars ||
					 o->template_date))
		return rm_fail("template plain has no variables and no date");
	return got;
}

static struct rm_encode *started(struct rm_encode *e,
				 const struct rm_encode_options *o)
{
	if (e->reader && set_default(e, o) == 0 &&
	    make_header(e, o->policy) == 0) {
		/* The header has them now. */
		e->recipe.vars = NULL;
		e->recipe.date = NULL;
		return e;
	}
	rm_encode_close(e);
	return NULL;
}

/* A template that is none of transcripts gets them as messages. */
static struct rm_text_options text_options(const struct rm_encode *e,
					   const struct rm_encode_options *o)
{
	struct rm_text_options text = o->text;

	text.as_messages |= !rm_template_takes_transcripts(e->recipe.template);
	return text;
}

struct rm_encode *rm_encode_open(char *const *paths, size_t n,
				 const struct rm_tokenizer *tokenizer,
				 const struct rm_encode_options *options)
{
	struct rm_encode *e = start(tokenizer, options);
	struct rm_text_options text;

	if (!e)
		return NULL;
	text = text_options(e, options);
	e->reader = rm_text_open(paths, n, &text);
	return started(e, options);
}

struct rm_encode *rm_encode_open_input(struct rm_input *in,
				       const struct rm_tokenizer *tokenizer,
				       const struct rm_encode_options *options)
{
	struct rm_encode *e = start(tokenizer, options);
	struct rm_text_options text;

	if (!e) {
		rm_input_close(in);
		return NULL;
	}
	text = text_options(e, options);
	e->reader = rm_text_open_input(in, &text);
	return started(e, options);
}

struct rm_header *rm_encode_header(struct rm_encode *e)
{
	return &e->header;
}

void rm_encode_on_pause(struct rm_encode *e, int (*fn)(void *), void *arg)
{
	rm_text_on_pause(e->reader, fn, arg);
}

const struct rm_encode_counts *rm_encode_counts(const struct rm_encode *e)
{
	return &e->counts;
}

const struct rm_text_counts *rm_encode_text_counts(const struct rm_encode *e)
{
	return rm_text_counts(e->reader);
}

/* ---- a batch ---- */

static int put_record(const struct rm_encode *e, struct rm_encode_group *x)
{
	struct rm_buf *out = &x->w->out;
	size_t n = e->header.schema.n;

	rm_put_array(out, n);
	for (size_t f = 0; f < n; f++)
		e->put[f](x, out);
	return out->failed ? -1 : 0;
}

static void count(struct rm_encode_group *x)
{
	struct rm_encode_counts *c = &x->w->counts;

	c->kept++;
	for (size_t i = 0; i < x->g->k; i++) {
		c->empty += x->plain[i].len == 0;
		c->tokens += x->n_prompt - x->skip + x->n[i];
	}
}

static void encode_group(const struct rm_encode *e,
			 const struct rm_text_group *g,
			 struct rm_encode_worker *w, struct payload *p)
{
	struct rm_encode_group x = { .recipe = &e->recipe, .g = g, .w = w };
	struct rm_text_group mine;
	int keep = 0;

	p->start = w->out.len;
	rm_arena_reset(&w->arena);
	if (e->recipe.perturb)
		keep = rm_encode_perturb(&x, &mine);
	if (keep == 0)
		keep = rm_encode_inputs(&x);
	if (keep > 0) {
		count(&x);
		if (put_record(e, &x) < 0)
			keep = -1;
	}
	p->len = w->out.len - p->start;
	p->dropped = keep == 0;
	if (keep < 0) {
		rm_text_group_wrap(g);
		p->error = rm_strdup(rm_error());
	}
}

static void add_counts(struct rm_encode *e)
{
	for (size_t i = 0; i < e->threads; i++) {
		struct rm_encode_counts *c = &e->worker[i].counts;

		e->counts.kept += c->kept;
		e->counts.dropped += c->dropped;
		e->counts.cut += c->cut;
		e->counts.alike += c->alike;
		e->counts.empty += c->empty;
		e->counts.tokens += c->tokens;
		e->counts.text += c->text;
		*c = (struct rm_encode_counts){0};
	}
}

static void forget(struct rm_encode *e)
{
	for (size_t i = 0; i < e->batch.n; i++)
		free(e->payload[i].error);
	for (size_t i = 0; e->worker && i < e->threads; i++)
		rm_buf_clear(&e->worker[i].out);
	e->batch.n = 0;
	e->at = 0;
}

static int encode_batch(struct rm_encode *e)
{
	size_t n;
	int got;

	forget(e);
	got = rm_text_read(e->reader, &e->batch);
	n = got > 0 ? e->batch.n : 0;
	e->batch.n = 0;		/* until the payloads are set */
	if (got <= 0)
		return got;
	if (rm_grow(&e->payload, &e->cap_payload, n,
		    sizeof(*e->payload)) < 0)
		return -1;
	memset(e->payload, 0, n * sizeof(*e->payload));
	e->batch.n = n;
#pragma omp parallel for num_threads(e->threads) schedule(dynamic, 4) \
	if (e->batch.bytes > RM_TEXT_PARALLEL)
	for (size_t i = 0; i < n; i++) {
		e->payload[i].worker = (size_t)omp_get_thread_num();
		encode_group(e, e->batch.group[i],
			     &e->worker[e->payload[i].worker],
			     &e->payload[i]);
	}
	add_counts(e);
	return 1;
}

int rm_encode_next(struct rm_encode *e, const struct rm_buf **payload)
{
	for (;;) {
		const struct payload *p;

		if (e->at == e->batch.n) {
			int got = encode_batch(e);

			if (got <= 0)
				return got;
		}
		p = &e->payload[e->at++];
		if (p->error)
			return rm_fail("%s", p->error);
		if (p->dropped)
			continue;
		e->view = (struct rm_buf){
			.data = e->worker[p->worker].out.data + p->start,
			.len = p->len, .cap = p->len
		};
		*payload = &e->view;
		return 1;
	}
}

static void worker_fini(struct rm_encode_worker *w)
{
	rm_encoding_fini(&w->encoding);
	rm_buf_fini(&w->text);
	rm_buf_fini(&w->prompt);
	rm_buf_fini(&w->plain);
	rm_buf_fini(&w->out);
	rm_arena_fini(&w->arena);
	rm_arena_fini(&w->scratch);
	json_decref(w->messages);
	free(w->ids);
	free(w->ends);
}

void rm_encode_close(struct rm_encode *e)
{
	if (!e)
		return;
	forget(e);
	rm_text_close(e->reader);
	rm_header_fini(&e->header);
	rm_recipe_fini(&e->recipe);
	for (size_t i = 0; e->worker && i < e->threads; i++)
		worker_fini(&e->worker[i]);
	free(e->worker);
	free(e->payload);
	free(e);
}

/*
 * learn: texts in, a tokenizer.json out.
 *
 * Texts are gathered, then counted by several threads, each into a table of
 * its own.  The tables become one after so many bytes of text, and there
 * words are forgotten if they are too many: at the same texts, of the same
 * counts, for any number of threads.
 */
#include "tokenizer/learn.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/*
 * For each word that may be remembered: bytes of its record, of text between
 * two looks at how many there are, and of text to gather for the threads.
 */
#define RECORD 32
#define SETTLED 8
#define GATHERED 1

struct rm_learner {
	struct rm_learn_options o;
	const struct rm_learner_kind *kind;
	struct rm_tokenizer *splitter;
	size_t n_workers;
	struct rm_learner_worker *worker;	/* the first has the sum */
	struct rm_buf text;		/* gathered */
	size_t *end;			/* of its texts */
	size_t n_texts, cap;
	size_t since;			/* bytes since they were settled */
	size_t forgotten;
	size_t size;			/* tokens that were learned */
};

/* ---- byte-level BPE ---- */

static int bpe_count(struct rm_learner_worker *w,
		     const struct rm_tokenizer *splitter,
		     const unsigned char *text, size_t len)
{
	(void)splitter;
	for (size_t i = 0; i < len; ) {
		size_t n = rm_scan_gpt2(text + i, len - i);

		for (size_t end = i + n; i < end; i += n) {
			n = RM_MIN(end - i, RM_LEARN_LONGEST);
			if (rm_counts_add(&w->counts, text + i, n, 1) < 0)
				return -1;
		}
	}
	return 0;
}

static int bpe_start(struct rm_merger *m, const struct rm_counts *counts,
		     const struct rm_learn_options *o)
{
	const struct rm_count *c;
	int32_t ids[RM_LEARN_LONGEST];

	if (rm_byte_level_vocab(&m->vocab) < 0)
		return -1;
	for (size_t at = 0; (c = rm_counts_next(counts, &at)); ) {
		if (c->count < o->min_count)
			continue;
		for (size_t i = 0; i < c->n; i++)
			ids[i] = c->word[i];
		if (rm_merger_add(m, ids, c->n, c->count) < 0)
			return -1;
	}
	return 0;
}

static void bpe_print(struct rm_buf *json, const struct rm_merger *m,
		      const struct rm_learn_options *o)
{
	(void)o;
	rm_byte_level_print(json, &m->vocab, m->merge, m->n_merges, true);
}

static const struct rm_learner_kind bpe = {
	"bpe", NULL, bpe_count, bpe_start, bpe_print
};

static const struct rm_learner_kind *const kinds[] = {
	&bpe, &rm_learner_wordpiece
};

const char *const rm_learner_types[] = { "bpe", "wordpiece", NULL };

/* ---- a learner ---- */

static const struct rm_learner_kind *find_kind(const char *type)
{
	for (size_t i = 0; i < RM_COUNT(kinds); i++)
		if (!type || strcmp(kinds[i]->type, type) == 0)
			return kinds[i];
	return rm_fail_null("no model of the type '%s' can be learned", type);
}

static int init(struct rm_learner *l, const struct rm_learn_options *o)
{
	l->o = *o;
	l->kind = find_kind(o->type);
	l->n_workers = RM_MAX(o->threads, 1);
	l->worker = rm_calloc(l->n_workers, sizeof(*l->worker));
	if (!l->kind || !l->worker)
		return -1;
	if (!o->max_words)
		l->o.max_words = RM_LEARN_WORDS;
	if (!l->kind->splitter)
		return 0;
	l->splitter = l->kind->splitter(&l->o);
	return l->splitter ? 0 : -1;
}

struct rm_learner *rm_learner_new(const struct rm_learn_options *options)
{
	struct rm_learner *l;

	if (options->vocab < 256 || options->vocab > RM_MAX_IDS)
		return rm_fail_null("a vocabulary of %zu tokens is not "
				    "within 256..%zu", options->vocab,
				    RM_MAX_IDS);
	l = rm_calloc(1, sizeof(*l));
	rm_unicode_init();
	if (!l || init(l, options) == 0)
		return l;
	rm_learner_free(l);
	return NULL;
}

void rm_learner_free(struct rm_learner *l)
{
	if (!l)
		return;
	for (size_t i = 0; l->worker && i < l->n_workers; i++) {
		rm_counts_fini(&l->worker[i].counts);
		rm_encoding_fini(&l->worker[i].encoding);
		free(l->worker[i].error);
	}
	free(l->worker);
	rm_tokenizer_free(l->splitter);
	rm_buf_fini(&l->text);
	free(l->end);
	free(l);
}

/* ---- counting words ---- */

static void count_gathered(struct rm_learner *l, size_t i,
			   struct rm_learner_worker *w)
{
	size_t start = i ? l->end[i - 1] : 0;

	if (!w->error && l->kind->count(w, l->splitter, l->text.data + start,
					l->end[i] - start) < 0)
		w->error = rm_strdup(rm_error());
}

/* Count the texts that were gathered. */
static int count_all(struct rm_learner *l)
{
#pragma omp parallel for num_threads(l->n_workers) schedule(dynamic, 16)
	for (size_t i = 0; i < l->n_texts; i++)
		count_gathered(l, i, &l->worker[omp_get_thread_num()]);
	l->n_texts = 0;
	rm_buf_clear(&l->text);
	for (size_t i = 0; i < l->n_workers; i++)
		if (l->worker[i].error)
			return rm_fail("%s", l->worker[i].error);
	return 0;
}

/* All counts in the first table, and no more of them than may be. */
static int settle(struct rm_learner *l)
{
	struct rm_counts *sum = &l->worker[0].counts;
	size_t words = l->o.max_words, units = words * (RECORD / 8);

	if (count_all(l) < 0)
		return -1;
	for (size_t i = 1; i < l->n_workers; i++) {
		if (rm_counts_merge(sum, &l->worker[i].counts) < 0)
			return -1;
		rm_counts_fini(&l->worker[i].counts);
	}
	if (sum->n > words || sum->len > units)
		rm_counts_prune(sum, words / 2, units / 2, &l->forgotten);
	l->since = 0;
	return 0;
}

static int gather(struct rm_learner *l, const void *text, size_t len)
{
	rm_buf_append(&l->text, text, len);
	if (l->text.failed || rm_grow(&l->end, &l->cap, l->n_texts + 1,
				      sizeof(*l->end)) < 0)
		return -1;
	l->end[l->n_texts++] = l->text.len;
	return l->text.len < GATHERED * l->o.max_words ? 0 : count_all(l);
}

int rm_learner_add(struct rm_learner *l, const void *text, size_t len)
{
	int err;

	/* A long text needs no company: it is not copied. */
	if (l->n_workers == 1 || len >= GATHERED * l->o.max_words)
		err = l->kind->count(&l->worker[0], l->splitter, text, len);
	else
		err = gather(l, text, len);
	l->since += len;
	if (err == 0 && l->since >= SETTLED * l->o.max_words)
		err = settle(l);
	return err;
}

/* ---- the result ---- */

int rm_learner_finish(struct rm_learner *l, struct rm_buf *json)
{
	struct rm_merger m = { .prefix = "" };
	int err = -1;

	if (settle(l) == 0 &&
	    l->kind->start(&m, &l->worker[0].counts, &l->o) == 0 &&
	    rm_merger_run(&m, l->o.vocab) == 0) {
		l->kind->print(json, &m, &l->o);
		err = json->failed ? -1 : 0;
		l->size = m.vocab.n;
	}
	rm_merger_fini(&m);
	return err;
}

size_t rm_learner_size(const struct rm_learner *l)
{
	return l->size;
}

size_t rm_learner_forgotten(const struct rm_learner *l)
{
	return l->forgotten;
}

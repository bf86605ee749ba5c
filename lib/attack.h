/*
 * attack: what moves the rows that a model looks up for a text (the word
 * embedding of each token; of bag the row of each n-gram) within a small
 * ball, so as to raise the loss of its rewards.
 *
 *	loss = sum over the ordered pairs of a group of -log sigma(r_i - r_j),
 *	       i preferred to j; of a pair with p, cross entropy with p
 *	fgsm	one step of length eps along sign(g): Goodfellow et al. 2015
 *	pgd	several, each brought back into the ball: Madry et al. 2018
 *
 * The ball: for inf every number moves by at most eps, for l2 all numbers of
 * one text together by at most eps (Miyato et al. 2017).  Weights are not
 * trained and have no gradients.  Rewards have the same bits in any batch,
 * for any number of threads.  Knows models and records, not streams.  Errors
 * as in base.h.
 *
 *	config = rm_attack_parse("pgd:eps=0.01/0.02");
 *	attack = rm_attack_new(config, model, column);	before model_ready
 *	rm_attack_labels(attack, &h->schema, h->pairs);
 *	rm_attack_add(attack, &batch, rec, prompt, responses);
 *	r = rm_attack_run(attack, &batch);	r[e * batch.n_leaves + leaf]
 *	rm_batch_clear(&batch); rm_attack_clear(attack);
 */
#ifndef RM_ATTACK_H
#define RM_ATTACK_H

#include "model.h"

struct rm_attack;

/* "NAME:key=value,..." with defaults filled in; the caller owns it. */
json_t *rm_attack_parse(const char *text);
/* The text of `--attack list`. */
void rm_attack_list(struct rm_buf *out);

/*
 * Of a model that is loaded but not ready yet, whose reward is that column of
 * its scores; from then on nothing of it is dropped out.
 */
struct rm_attack *rm_attack_new(const json_t *config, struct rm_model *m,
				size_t column);
void rm_attack_free(struct rm_attack *a);

/* The eps that are tried, ascending. */
const struct rm_numbers *rm_attack_eps(const struct rm_attack *a);

/* Records of this schema, which must have labels, stays the caller's. */
int rm_attack_labels(struct rm_attack *a, const struct rm_schema *schema,
		     bool pairs);
/*
 * Append a record's responses to the batch, a leaf each, and note its labels.
 * Without an order of its responses it is attacked by nothing.
 */
int rm_attack_add(struct rm_attack *a, struct rm_batch *batch,
		  const struct rm_record *rec, struct rm_slice prompt,
		  const struct rm_slice *responses);
/* Rewards [eps][n_leaves] of all that was added; the attack's, till then. */
const double *rm_attack_run(struct rm_attack *a, struct rm_batch *batch);
void rm_attack_clear(struct rm_attack *a);

#endif

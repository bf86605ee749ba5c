/*
 * encode: labelled groups of text (module text) as records: template,
 * tokenizer and cut.
 *
 *	struct rm_encode *e = rm_encode_open(paths, n, tokenizer, &options);
 *	w = rm_writer_open(out, rm_encode_header(e));
 *	while ((got = rm_encode_next(e, &payload)) > 0)
 *		rm_writer_write(w, payload);
 *	rm_encode_close(e);
 *
 * `prompt` followed by `responses[i]` is exactly what the tokenizer makes of
 * the whole text, special tokens included, cut at the last token boundary at
 * or before the prompt's end that all k responses share.  Under template
 * pair it is what the tokenizer's rule for pairs makes of two texts.
 */
#ifndef RM_ENCODE_H
#define RM_ENCODE_H

#include "perturb.h"
#include "stream.h"
#include "text.h"
#include "tokenizer.h"

enum rm_answer { RM_UNSAID, RM_YES, RM_NO };

struct rm_encode_options {
	struct rm_text_options text;
	/*
	 * One that is built in, "own" for the tokenizer's own, or a file in
	 * Jinja.  NULL: the tokenizer's own where it has one and the data
	 * has messages, else plain.
	 */
	const char *template;
	const json_t *template_vars;	/* an object, or NULL */
	const char *template_date;	/* "2025-01-31", or NULL */
	/*
	 * What the post-processor adds; yes, unless the template is one in
	 * Jinja, which has written them itself.
	 */
	enum rm_answer special_tokens;
	/*
	 * The EOS token after plain text: no, unless special tokens are
	 * added and tokenizer_config.json has add_eos_token.
	 */
	enum rm_answer eos;
	const json_t *policy;	/* of the model (rm_encode_policy), or NULL;
				 * borrowed until the encoder is open */
	size_t max_length;	/* tokens of prompt and response; 0: no limit */
	/*
	 * The most tokens that the model can take, 0 for any number: the
	 * limit where max_length is 0.  Under a policy of the model it is
	 * then not recorded: it is the model's, not the policy's, and what
	 * the model's own policy made is to match it.
	 */
	size_t model_limit;
	const char *overlong;	/* left (or NULL), right, middle, drop, error */
	bool keep_text;
	/* What is done to responses before all else, borrowed; NULL: nothing.
	 * Ids and keys are those of the texts as they were. */
	const struct rm_perturb *perturb;
};

/* Whether `template` may be this: a name, or a file that is there; 0 / -1. */
int rm_encode_check_template(const char *name);

/* The names that `overlong` may have; ends in NULL. */
extern const char *const rm_encode_overlongs[];

struct rm_encode_counts {
	size_t kept, dropped, cut;	/* groups */
	size_t alike;			/* groups with responses that only
					 * the cut made identical */
	size_t empty;			/* empty responses */
	size_t tokens;			/* of the model's inputs */
	size_t text;			/* their bytes of text */
};

struct rm_encode;

/*
 * Open files (n == 0 or "-": stdin) as records.  The tokenizer is borrowed
 * until close.
 */
struct rm_encode *rm_encode_open(char *const *paths, size_t n,
				 const struct rm_tokenizer *tokenizer,
				 const struct rm_encode_options *options);
/* The same of one open input, which is taken, also on failure. */
struct rm_encode *rm_encode_open_input(struct rm_input *in,
				       const struct rm_tokenizer *tokenizer,
				       const struct rm_encode_options *options);
/* Kind groups, the fields that the data has, the tokenizer, the policy; the
 * history is empty and the caller's to extend. */
struct rm_header *rm_encode_header(struct rm_encode *e);
/*
 * 1 and the payload of the next record, valid until the next call; 0 at the
 * end; -1 on error.
 */
int rm_encode_next(struct rm_encode *e, const struct rm_buf **payload);
/* As rm_text_on_pause. */
void rm_encode_on_pause(struct rm_encode *e, int (*fn)(void *), void *arg);
const struct rm_encode_counts *rm_encode_counts(const struct rm_encode *e);
const struct rm_text_counts *rm_encode_text_counts(const struct rm_encode *e);
void rm_encode_close(struct rm_encode *e);

/*
 * Take template, special tokens, max_length and overlong from a model
 * directory's rm.json ("policy"), where the options leave them unset.
 * Special token ids in the policy are compared with the tokenizer's when the
 * encoder is opened.  What was taken lives in *keep, which the caller frees
 * (json_decref); NULL where there is no rm.json.
 */
int rm_encode_policy(const char *model, struct rm_encode_options *options,
		     json_t **keep);

#endif

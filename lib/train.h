/*
 * train: the loop that makes a loss small: epochs of shuffled batches,
 * schedule, validation, early stopping, the best parameters kept,
 * checkpoints from which a run goes on to the same bytes.
 *
 * Sees a model's backbone, head and parameters, and examples; knows nothing
 * of streams, files but its checkpoint, or where the figures are shown.
 * Everything that is random is keyed by (seed, purpose, step), so what a
 * step does depends only on the step's number.  Errors as in base.h.
 *
 *	struct rm_train_options o = rm_train_defaults();
 *	o.loss = rm_loss_new(config, &scores);
 *	if (rm_train(model, &examples, NULL, &o, &result) < 0) ...
 *	rm_model_save(model, dir, false);
 */
#ifndef RM_TRAIN_H
#define RM_TRAIN_H

#include "dataset.h"
#include "model.h"
#include "optim.h"

#include <signal.h>

/* What one step, or one pass over validation data, has shown. */
struct rm_train_report {
	bool valid;		/* of a validation pass, after `step` steps */
	bool best;		/* valid: the lowest loss so far */
	uint64_t step, total;	/* steps done; in all */
	double epoch;		/* epochs done */
	double loss, accuracy;	/* mean; NaN if nothing was compared */
	/* Of the step or the pass; tokens of all texts of each example,
	 * whether they were computed once or several times. */
	uint64_t examples, tokens;
	/* A step only: */
	double lr, grad_norm;
};

/* In which order an epoch goes through the examples. */
enum rm_train_shuffle {
	RM_SHUFFLE_PAIRS,
	/* Those of one key, that is of one prompt, stand together, so that
	 * steps compute each of their texts once. */
	RM_SHUFFLE_GROUPS,
	RM_SHUFFLE_NONE		/* as the stream has them, in every epoch */
};

/* "pairs", "groups", "none", NULL */
extern const char *const rm_train_shuffle_names[];
/* That of one of these names. */
enum rm_train_shuffle rm_train_shuffle_of(const char *name);

struct rm_train_options {
	/* Borrowed; its parameters, if any, are in the model's table
	 * (rm_model_training.add). */
	const struct rm_loss *loss;
	size_t epochs;
	size_t batch;		/* examples a step */
	/*
	 * A step is cut into batches of whole examples of at most so many
	 * tokens that are computed, whose gradients add up: memory does not
	 * grow with `batch`.  0: as the backbone needs it, 2048 or no limit.
	 */
	size_t micro_tokens;
	enum rm_precision precision;	/* of a transformer's products */
	const struct rm_schedule *schedule;
	double warmup;		/* share of all steps */
	struct rm_optim_config optim;
	size_t valid_steps;	/* a pass every so many; 0: every epoch */
	/* Passes without a lower validation loss that end it; 0: never. */
	size_t patience;
	int64_t seed;
	enum rm_train_shuffle shuffle;
	/*
	 * Bytes that hidden rows of a backbone that is not trained may take;
	 * they are then computed once (rm_train_rows).
	 */
	size_t memory;

	const char *checkpoint;	/* directory, made if missing; or NULL */
	size_t checkpoint_steps;	/* steps from one to the next */
	bool resume;		/* go on from the checkpoint, if there is one */
	bool force;		/* begin anew over a checkpoint */
	/*
	 * What else decides the bytes of the model (backbone, head, base,
	 * input): a checkpoint of other settings is refused.
	 */
	const json_t *settings;

	/* Set by a signal handler: stop after this step.  NULL: never. */
	const volatile sig_atomic_t *stop;
	/* After each step and validation pass; 0, or -1 ends in failure. */
	int (*report)(void *arg, const struct rm_train_report *report);
	void *arg;
};

struct rm_train_options rm_train_defaults(void);
/*
 * What is open (0 epochs or batch, a lr, warmup or clip that is NaN) as suits
 * model, loss and data: n-grams take 5 epochs of 64 pairs, or groups of as many
 * responses, at a rate of .001, clipped to 1 for squared errors; a transformer
 * 1 of 16 at 5e-5, a new one 3 at 3e-4, changes of low rank at 5e-4, after a
 * warm-up of a tenth.
 */
void rm_train_complete(struct rm_train_options *o, const struct rm_model *m,
		       const struct rm_subset *train);

struct rm_train_result {
	uint64_t resumed;	/* step that the run began at */
	uint64_t step;		/* steps done */
	uint64_t tokens;	/* seen by this run's steps */
	bool early;		/* ended by patience */
	bool stopped;		/* ended by options.stop: no model */
	bool saved;		/* stopped: and a checkpoint holds it */
	double loss, accuracy;	/* of the last epoch's steps */
	/*
	 * The loss, on the same examples, of a model that gives all the same
	 * reward (ln 2 for hard labels and plain Bradley-Terry).
	 */
	double baseline;
	/* Of the best validation pass; NaN if there was none. */
	double valid_loss, valid_accuracy;
	uint64_t best_step;
};

/*
 * Train the model's parameters as they stand (initialised, or those of a
 * base) on `train`; afterwards they are those of the lowest validation loss,
 * or the last ones without `valid` (NULL).  -1 with a message; a loss or
 * gradient that is NaN or infinite names step and records, and leaves the
 * last checkpoint as it is.
 */
int rm_train(struct rm_model *m, const struct rm_subset *train,
	     const struct rm_subset *valid,
	     const struct rm_train_options *options,
	     struct rm_train_result *result);

/*
 * Bytes of the hidden rows of all distinct texts, if the backbone is frozen;
 * 0 if it is trained.  Up to options.memory they are kept, beyond it computed
 * again in every epoch, which changes no bit.  0 / -1.
 */
int rm_train_rows(struct rm_model *m, const struct rm_subset *train,
		  const struct rm_subset *valid, uint64_t *bytes);

/*
 * Whether a run with these options may begin: refuses, unless force or
 * resume, to write over an earlier run's checkpoint.  To be asked before
 * the input is read.
 */
int rm_train_check(const struct rm_train_options *options);

/*
 * The mean loss and accuracy of a model on examples, without changing it.
 */
int rm_train_evaluate(struct rm_model *m, const struct rm_loss *loss,
		      const struct rm_subset *examples,
		      struct rm_train_report *report);

#endif

/*
 * A checkpoint of training: one safetensors file, replaced atomically.
 *
 * It holds, as bytes, the parameters as they are, the optimiser's ranges and
 * the best parameters so far, and under the metadata `state` a JSON object:
 * the settings that must agree and the loop's few numbers.
 */
#ifndef RM_TRAIN_CHECKPOINT_H
#define RM_TRAIN_CHECKPOINT_H

#include "model.h"
#include "optim.h"

#define RM_CHECKPOINT_FILE "checkpoint.safetensors"

/* What the loop carries from step to step. */
struct rm_progression {
	uint64_t step;
	double loss, weight;		/* sums of this epoch so far */
	double correct, compared;
	/* Of the best validation pass; step 0: none yet. */
	uint64_t best_step;
	double best_loss, best_accuracy;
	uint64_t stale;			/* passes since */
};

struct rm_checkpoint {
	const char *dir;
	struct rm_params *params;
	struct rm_optim *optim;
	void *best;		/* rm_params_state bytes, NULL without valid */
	const json_t *settings;
	struct rm_progression *progression;
};

/* Whether there is one, 1 or 0; -1 on error. */
int rm_checkpoint_exists(const char *dir);
int rm_checkpoint_write(const struct rm_checkpoint *c);
/*
 * Everything back as it was.  A checkpoint of other settings is refused, its
 * message naming the first that differs.
 */
int rm_checkpoint_read(const struct rm_checkpoint *c);

#endif

/* Cross-validation: every point judged by a fit that did not see it. */
#include "calib.h"

#include <stdlib.h>
#include <string.h>

/* fold[clusters], as even as can be, in an order drawn by seed. */
static int draw_folds(size_t clusters, size_t folds, uint64_t seed,
		      uint32_t *fold)
{
	size_t *order = rm_malloc(clusters, sizeof(*order)), i;

	if (!order)
		return -1;
	for (i = 0; i < clusters; i++)
		order[i] = i;
	rm_shuffle(order, clusters, seed, RM_RANDOM_SPLIT, 0);
	for (i = 0; i < clusters; i++)
		fold[order[i]] = (uint32_t)(i % folds);
	free(order);
	return 0;
}

/* The calibration of all points but those of fold `out`. */
static struct rm_calib *fit_others(const char *method, bool pairs,
				   const struct rm_calib_data *data,
				   const uint32_t *cluster,
				   const uint32_t *fold, size_t out)
{
	double *room = rm_malloc(3 * data->n, sizeof(*room));
	struct rm_calib_data kept = { 0, room, NULL, NULL };
	double *x = room, *p = x + data->n, *weight = p + data->n;
	struct rm_calib *c;
	size_t i, n = 0;

	if (!room)
		return NULL;
	for (i = 0; i < data->n; i++) {
		if (fold[cluster[i]] == out)
			continue;
		x[n] = data->x[i];
		p[n] = data->p[i];
		weight[n++] = data->weight ? data->weight[i] : 1;
	}
	kept.n = n;
	kept.p = p;
	kept.weight = weight;
	c = rm_calib_fit(method, pairs, &kept);
	free(room);
	return c;
}

int rm_calib_cross(const char *method, bool pairs,
		   const struct rm_calib_data *data, const uint32_t *cluster,
		   size_t clusters, size_t folds, uint64_t seed, double *prob)
{
	uint32_t *fold;
	struct rm_calib *c;
	size_t f, i;
	int status;

	if (clusters < folds)
		return rm_fail("%zu folds want as many prompts, there are %zu",
			       folds, clusters);
	fold = rm_malloc(clusters, sizeof(*fold));
	status = fold ? draw_folds(clusters, folds, seed, fold) : -1;
	for (f = 0; status == 0 && f < folds; f++) {
		c = fit_others(method, pairs, data, cluster, fold, f);
		if (!c)
			status = rm_wrap("without fold %zu of %zu", f + 1,
					 folds);
		for (i = 0; c && i < data->n; i++)
			if (fold[cluster[i]] == f)
				prob[i] = rm_calib_prob(c, data->x[i]);
		rm_calib_free(c);
	}
	free(fold);
	return status;
}

/* bins: what figures of binned points share. */
#ifndef RM_METRIC_BINS_H
#define RM_METRIC_BINS_H

#include "metric.h"

/* The derivatives of each part by the sums of each bin. */
struct rm_slopes {
	double by[RM_ECE_BINS][RM_BIN_SUMS][RM_PARTS];
};

/* The value of each part, and its slopes; NaN where weights are all 0. */
void rm_parts_of(const struct rm_bins *b, double *part,
		 struct rm_slopes *slopes);

/* One part of the bins of a kind with its standard error. */
int rm_bins_estimate(struct rm_scores *s, enum rm_bins_kind kind,
		     enum rm_part part, double *value, double *error);

/* The expected calibration error of bins of equal width, and its error. */
int rm_bins_ece(struct rm_scores *s, double *value, double *error);

#endif

/* bins: what figures of binned points share. */
#ifndef RM_METRIC_BINS_H
#define RM_METRIC_BINS_H

#include "metric.h"

/*
 * The influence of each record on a figure whose derivative by sum k of bin
 * b is slope[b][k], the edges taken as given: psi[records], overwritten.
 */
int rm_bins_influence(struct rm_scores *s, enum rm_bins_kind kind,
		      const double (*slope)[RM_BIN_SUMS], double *psi);

/* The expected calibration error of equal-width bins, and its influence. */
int rm_bins_ece(struct rm_scores *s, double *value, double *psi);

#endif

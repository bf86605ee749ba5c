/* Shapes in which one response is named the better one. */
#include "text/shape.h"

#define PROMPTS "prompt|question|instruction|context|input|query"

static const struct rm_text_column pair[] = {
	{ PROMPTS, RM_TEXT_PROMPT, 0, NULL },
	{ "chosen", RM_TEXT_CHOSEN, RM_TEXT_NEEDED, NULL },
	{ "rejected", RM_TEXT_REJECTED, RM_TEXT_NEEDED, NULL },
	{ "score_chosen|chosen_score", RM_TEXT_SCORE, 0, NULL },
	{ "score_rejected|rejected_score", RM_TEXT_SCORE, 0, NULL },
	{ "votes_chosen|chosen_votes", RM_TEXT_VOTES, 0, NULL },
	{ "votes_rejected|rejected_votes", RM_TEXT_VOTES, 0, NULL },
	{ "votes_tie", RM_TEXT_VOTES, 0, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_pair = {
	.name = "pair",
	.help = "chosen, rejected (prompt, margin, votes_chosen, "
		"votes_rejected): TRL, HH, RewardBench 1 and 2",
	.column = pair
};

static const struct rm_text_column alpaca[] = {
	{ "instruction", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "input", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "chosen", RM_TEXT_CHOSEN, RM_TEXT_NEEDED, NULL },
	{ "rejected", RM_TEXT_REJECTED, RM_TEXT_NEEDED, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_alpaca = {
	.name = "alpaca",
	.help = "instruction, input, chosen, rejected",
	.column = alpaca
};

static const struct rm_text_column rmbench[] = {
	{ "domain", RM_TEXT_SUBSET, RM_TEXT_NEEDED, NULL },
	{ "prompt", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "chosen", RM_TEXT_CHOSEN, RM_TEXT_NEEDED, NULL },
	{ "rejected", RM_TEXT_REJECTED, RM_TEXT_NEEDED, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_rmbench = {
	.name = "rm-bench",
	.help = "prompt, chosen, rejected, domain: RM-Bench",
	.column = rmbench
};

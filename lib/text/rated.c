/* Shapes of k responses, or of one a row, with ranks, scores, ratings. */
#include "text/shape.h"

#define PROMPTS "prompt|question|instruction|context|input|query"

static const struct rm_text_column list[] = {
	{ PROMPTS, RM_TEXT_PROMPT, 0, NULL },
	{ "responses", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "rank|ranks|ranking", RM_TEXT_RANK, 0, NULL },
	{ "votes", RM_TEXT_VOTES, 0, NULL },
	{ "scores|score|ratings|rewards", RM_TEXT_SCORE, 0, NULL },
	{ "models", RM_TEXT_PER_RESPONSE, 0, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_list = {
	.name = "list",
	.help = "responses (prompt, scores, ranks, votes, models)",
	.column = list
};

static const struct rm_text_column completions[] = {
	{ PROMPTS, RM_TEXT_PROMPT, 0, NULL },
	{ "completions", RM_TEXT_COMPLETIONS, RM_TEXT_NEEDED, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_completions = {
	.name = "completions",
	.help = "completions [{completion, rank}] (context or prompt): "
		"NeMo-RL; [{response, overall_score}]: UltraFeedback",
	.column = completions
};

static const struct rm_text_column one[] = {
	{ PROMPTS, RM_TEXT_PROMPT, 0, NULL },
	{ "response|completion|answer", RM_TEXT_RESPONSES, RM_TEXT_NEEDED,
	  NULL },
	{ "rank", RM_TEXT_RANK, 0, NULL },
	{ "label|score|rating", RM_TEXT_SCORE, 0, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_one = {
	.name = "one",
	.help = "response or completion (prompt, label or score or rating, "
		"rank): one response a row",
	.joins = true,
	.column = one
};

static const struct rm_text_column helpsteer[] = {
	{ "prompt", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "response", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "helpfulness", RM_TEXT_SCORE, RM_TEXT_NEEDED, NULL },
	{ "helpfulness", RM_TEXT_ATTRIBUTES, RM_TEXT_NEEDED, NULL },
	{ "correctness", RM_TEXT_ATTRIBUTES, RM_TEXT_NEEDED, NULL },
	{ "coherence", RM_TEXT_ATTRIBUTES, RM_TEXT_NEEDED, NULL },
	{ "complexity", RM_TEXT_ATTRIBUTES, RM_TEXT_NEEDED, NULL },
	{ "verbosity", RM_TEXT_ATTRIBUTES, RM_TEXT_NEEDED, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_helpsteer = {
	.name = "helpsteer",
	.help = "prompt, response, helpfulness (the score), correctness, "
		"coherence, complexity, verbosity: HelpSteer 1 and 2",
	.joins = true,
	.column = helpsteer
};

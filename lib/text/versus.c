/* Shapes of two responses side by side and who thinks what of them. */
#include "text/shape.h"

#define PROMPTS "prompt|question|instruction|context|input|query"

static const struct rm_text_column versus[] = {
	{ PROMPTS, RM_TEXT_PROMPT, 0, NULL },
	{ "response_a|response_A|response_1|response1|output_1|output_a|"
	  "answer_a|completion_a|conversation_a",
	  RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "response_b|response_B|response_2|response2|output_2|output_b|"
	  "answer_b|completion_b|conversation_b",
	  RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "gold|label|winner|preference", RM_TEXT_CHOICE, 0,
	  rm_text_choice_named },
	{ "score_a", RM_TEXT_SCORE, 0, NULL },
	{ "score_b", RM_TEXT_SCORE, 0, NULL },
	{ "votes|votes_a", RM_TEXT_VOTES, 0, NULL },
	{ "votes_b", RM_TEXT_VOTES, 0, NULL },
	{ "votes_tie", RM_TEXT_VOTES, 0, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_versus = {
	.name = "versus",
	.help = "response_a, response_b (prompt, gold or label or winner or "
		"preference, votes), conversation_a, conversation_b: LMArena",
	.column = versus
};

static const struct rm_text_column lmarena[] = {
	{ "prompt", RM_TEXT_TURNS, RM_TEXT_NEEDED, NULL },
	{ "response_a", RM_TEXT_ANSWERS, RM_TEXT_NEEDED, NULL },
	{ "response_b", RM_TEXT_ANSWERS, RM_TEXT_NEEDED, NULL },
	{ "winner_model_a", RM_TEXT_VOTES, RM_TEXT_NEEDED, NULL },
	{ "winner_model_b", RM_TEXT_VOTES, RM_TEXT_NEEDED, NULL },
	{ "winner_tie", RM_TEXT_VOTES, 0, NULL },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_lmarena = {
	.name = "lmarena",
	.help = "prompt, response_a, response_b, winner_model_a, "
		"winner_model_b, winner_tie: LMArena's 55k, turns as JSON",
	.column = lmarena
};

static const struct rm_text_column helpsteer3[] = {
	{ "domain", RM_TEXT_SUBSET, 0, NULL },
	{ "context", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "response1", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "response2", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "overall_preference", RM_TEXT_CHOICE, RM_TEXT_NEEDED | RM_TEXT_KEPT,
	  rm_text_choice_signed },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_helpsteer3 = {
	.name = "helpsteer3",
	.help = "context, response1, response2, overall_preference -3..3",
	.column = helpsteer3
};

static const struct rm_text_column llmbar[] = {
	{ "input", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "output_1", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "output_2", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "label", RM_TEXT_CHOICE, RM_TEXT_NEEDED, rm_text_choice_named },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_llmbar = {
	.name = "llmbar",
	.help = "input, output_1, output_2, label 1 or 2",
	.column = llmbar
};

static const struct rm_text_column pandalm[] = {
	{ "id|idx", RM_TEXT_ID, RM_TEXT_FIRST, NULL },
	{ "instruction", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "input", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "response1", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "response2", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "annotator1", RM_TEXT_ANNOTATOR, RM_TEXT_NEEDED,
	  rm_text_choice_named },
	{ "annotator2", RM_TEXT_ANNOTATOR, 0, rm_text_choice_named },
	{ "annotator3", RM_TEXT_ANNOTATOR, 0, rm_text_choice_named },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_pandalm = {
	.name = "pandalm",
	.help = "instruction, input, response1, response2, annotator1 to "
		"annotator3: 1, 2, or 0 for a tie",
	.column = pandalm
};

static const struct rm_text_column judgebench[] = {
	{ "pair_id", RM_TEXT_ID, 0, NULL },
	{ "source", RM_TEXT_SUBSET, 0, NULL },
	{ "question", RM_TEXT_PROMPT, RM_TEXT_NEEDED, NULL },
	{ "response_A", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "response_B", RM_TEXT_RESPONSES, RM_TEXT_NEEDED, NULL },
	{ "label", RM_TEXT_CHOICE, RM_TEXT_NEEDED, rm_text_choice_named },
	{ NULL, 0, 0, NULL }
};

const struct rm_text_kind rm_text_judgebench = {
	.name = "judgebench",
	.help = "question, response_A, response_B, label A>B or B>A",
	.column = judgebench
};

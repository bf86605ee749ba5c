/* Who wins, in all the ways that data sets say it. */
#include "text/shape.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static bool is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* "a", "model_b", "Response A", "1": the n bytes at s as a response. */
static bool is_response(const char *s, size_t n, size_t *choice)
{
	static const char *const prefixes[] = {
		"model", "response", "output", "answer", "conversation",
		"completion", "assistant"
	};

	for (size_t i = 0; i < RM_COUNT(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (n > len && strncasecmp(s, prefixes[i], len) == 0) {
			s += len;
			n -= len;
			if (*s == '_' || *s == ' ' || *s == '-')
				s++, n--;
			break;
		}
	}
	if (n != 1)
		return false;
	if (*s >= 'a' && *s <= 'h')
		*choice = (size_t)(*s - 'a');
	else if (*s >= 'A' && *s <= 'H')
		*choice = (size_t)(*s - 'A');
	else if (*s >= '1' && *s <= '9')
		*choice = (size_t)(*s - '1');
	else if (*s == '0')
		*choice = RM_TEXT_TIE;
	else
		return false;
	return true;
}

/* "A>B", "A>>B", "B<A", "A=B". */
static bool is_comparison(const char *s, size_t n, size_t *choice)
{
	size_t left, right, at = 0, end;

	while (at < n && s[at] != '<' && s[at] != '>' && s[at] != '=')
		at++;
	end = at;
	while (end < n && s[end] == s[at])
		end++;
	if (at == n || !is_response(s, at, &left) ||
	    !is_response(s + end, n - end, &right))
		return false;
	*choice = s[at] == '=' ? RM_TEXT_TIE : s[at] == '>' ? left : right;
	return true;
}

int rm_text_choice_of(const char *s, size_t n, size_t *choice)
{
	static const char *const ties[] = {
		"tie", "both", "equal", "same", "draw", "neither", "both_bad",
		"bothbad", "both_good", "tie (bothbad)"
	};

	*choice = RM_TEXT_NOBODY;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < RM_COUNT(ties); i++)
		if (is_word(s, n, ties[i])) {
			*choice = RM_TEXT_TIE;
			return 0;
		}
	if (is_response(s, n, choice) || is_comparison(s, n, choice))
		return 0;
	return rm_fail("'%.*s' names no response: a, b, tie, model_a, A>B, "
		       "1, 2 or 0 would", (int)RM_MIN(n, (size_t)40), s);
}

static int choice_of_number(double x, size_t *choice)
{
	*choice = RM_TEXT_NOBODY;
	if (isnan(x))
		return 0;
	if (x < 0 || x > 1e6 || x != floor(x))
		return rm_fail("%g is no response's number (from 1; 0: tie)",
			       x);
	*choice = x == 0 ? RM_TEXT_TIE : (size_t)x - 1;
	return 0;
}

int rm_text_choice_named(const json_t *v, size_t *choice)
{
	*choice = RM_TEXT_NOBODY;
	if (!v || json_is_null(v))
		return 0;
	if (json_is_number(v))
		return choice_of_number(json_number_value(v), choice);
	if (!json_is_string(v))
		return rm_text_fail_type(v, "a choice");
	return rm_text_choice_of(json_string_value(v), json_string_length(v),
				 choice);
}

int rm_text_choice_signed(const json_t *v, size_t *choice)
{
	double x;

	*choice = RM_TEXT_NOBODY;
	if (rm_text_number(v, &x) < 0)
		return -1;
	if (!isnan(x))
		*choice = x < 0 ? 0 : x > 0 ? 1 : RM_TEXT_TIE;
	return 0;
}

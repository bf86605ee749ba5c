/* Functions that every template has. */
#include "template/jinja.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FN(name) static int name(struct rm_jinja_run *r, \
				 const struct rm_jinja_call *c, \
				 struct rm_value *out)

enum { MAX_RANGE = 100000 };	/* as the peer has it */

FN(range)
{
	int64_t from = 0, to, step = 1, n;
	struct rm_list *l;

	if (c->n < 1 || c->n > 3 || c->named)
		return rm_fail("range needs one to three numbers");
	for (size_t i = 0; i < c->n; i++)
		if (!rm_value_int(c->arg[i], i == 0 && c->n > 1 ? &from :
				  i == 2 ? &step : &to))
			return rm_value_refuse(r, c->arg[i],
					       "a bound of range");
	if (step == 0)
		return rm_fail("a range with a step of 0");
	if (from > INT32_MAX || from < INT32_MIN || to > INT32_MAX ||
	    to < INT32_MIN || step > INT32_MAX || step < INT32_MIN)
		return rm_fail("a range beyond 32 bits");
	n = step > 0 ? (to - from + step - 1) / step
		     : (from - to - step - 1) / -step;
	n = RM_MAX(n, 0);
	if (n > MAX_RANGE)
		return rm_fail("a range of more than %d numbers", MAX_RANGE);
	l = rm_list_new(r, (size_t)n);
	if (!l || rm_run_work(r, (size_t)n / 8) < 0)
		return -1;
	for (int64_t i = 0; i < n; i++)
		l->item[i] = rm_int(from + i * step);
	l->kind = RM_LIST_RANGE;
	*out = rm_list_value(l, RM_V_LIST);
	return 0;
}

/* A pair of a list of pairs. */
static int set_pair(struct rm_jinja_run *r, struct rm_dict *d,
		    struct rm_value v)
{
	const struct rm_list *l = rm_value_items(r, v);

	if (!l)
		return -1;
	return l->n == 2 ? rm_dict_set(r, d, l->item[0], l->item[1])
			 : rm_fail("a pair of %zu values", l->n);
}

/* A new dictionary of what a call gives. */
static struct rm_dict *dict_of(struct rm_jinja_run *r,
			       const struct rm_jinja_call *c)
{
	struct rm_dict *d = rm_dict_new(r, 4);
	const struct rm_list *l;
	int err = 0;

	if (c->n > 1)
		return rm_fail_null("more than one argument without a name");
	if (!d)
		return NULL;
	if (c->n && c->arg[0].type == RM_V_DICT) {
		const struct rm_dict *from = c->arg[0].u.dict;

		for (size_t i = 0; i < from->n && err == 0; i++)
			err = rm_dict_set(r, d, from->pair[i].key,
					  from->pair[i].value);
	} else if (c->n) {
		l = rm_value_items(r, c->arg[0]);
		err = l ? 0 : -1;
		for (size_t i = 0; l && i < l->n && err == 0; i++)
			err = set_pair(r, d, l->item[i]);
	}
	for (size_t i = 0; c->named && i < c->named->n && err == 0; i++)
		err = rm_dict_set(r, d, c->named->pair[i].key,
				  c->named->pair[i].value);
	return err < 0 ? NULL : d;
}

FN(dict)
{
	*out = (struct rm_value){ .type = RM_V_DICT, .u.dict = dict_of(r, c) };
	return out->u.dict ? 0 : -1;
}

FN(namespace)
{
	struct rm_dict *d = dict_of(r, c);

	for (size_t i = 0; d && i < d->n; i++) {
		struct rm_value k = d->pair[i].key;

		if (rm_is_string(k) && k.len && k.u.s[0] == '_')
			return rm_fail("attributes that begin with _ are "
				       "private");
	}
	*out = (struct rm_value){ .type = RM_V_NAMESPACE, .u.dict = d };
	return d ? 0 : -1;
}

FN(raise)
{
	struct rm_value text;

	if (rm_value_str(r, c->arg[0], &text) < 0)
		return -1;
	(void)out;
	return rm_fail("the template refuses: %.*s",
		       (int)RM_MIN(text.len, 4096), (const char *)text.u.s);
}

FN(strftime_now)
{
	const int *date = r->j->date;
	struct tm tm = { .tm_year = date[0] - 1900, .tm_mon = date[1] - 1,
			 .tm_mday = date[2], .tm_isdst = 0 };
	struct rm_value how;
	char format[128], text[512];
	size_t n;

	if (date[0] == 0)
		return rm_fail("the template writes the date, and none was "
			       "given");
	if (rm_arg_text(r, c, 0, "", &how) < 0)
		return -1;
	if (how.len >= sizeof(format) || memchr(how.u.s, '\0', how.len))
		return rm_fail("a format of the date that is too long");
	memcpy(format, how.u.s, how.len);
	format[how.len] = '\0';
	/* The day of the week and of the year. */
	if (timegm(&tm) == (time_t)-1 && date[0] != 1969)
		return rm_fail("a date that there is not");
	n = strftime(text, sizeof(text), format, &tm);
	return rm_value_copy(r, text, n, out);
}

static const struct rm_callable functions[] = {
	{ "dict", dict, NULL, 0 },
	{ "namespace", namespace, NULL, 0 },
	{ "raise_exception", raise, "message", 1 },
	{ "range", range, NULL, 0 },
	{ "strftime_now", strftime_now, "format", 1 },
};

const struct rm_callable *rm_jinja_function(struct rm_slice name)
{
	return rm_callable_find(functions, RM_COUNT(functions), name);
}

/*
 * Which column is what: the columns of a file's first row against the known
 * shapes and the columns that the user named.
 */
#include "text/shape.h"

#include <stdlib.h>
#include <string.h>

#include "text_table.h"

const struct rm_text_column rm_text_common[] = {
	{ "id|idx|pair_id|question_id|prompt_id", RM_TEXT_ID, RM_TEXT_FIRST,
	  NULL },
	{ "subset", RM_TEXT_SUBSET, 0, NULL },
	{ "split", RM_TEXT_SPLIT, 0, NULL },
	{ "teacher", RM_TEXT_TEACHER, 0, NULL },
	{ "p", RM_TEXT_P, 0, NULL },
	{ "margin", RM_TEXT_MARGIN, 0, NULL },
	{ "weight", RM_TEXT_WEIGHT, 0, NULL },
	{ "tools", RM_TEXT_TOOLS, RM_TEXT_KEPT, NULL },
	{ NULL, 0, 0, NULL }
};

/* ---- roles ---- */

enum {	/* bits, in the order of the names */
	SUBSET = 1, SPLIT = 2, RANK = 4, SCORE = 8, ATTRIBUTES = 16,
	TEACHER = 32, VOTES = 64, ANNOTATIONS = 128, P = 256, MARGIN = 512,
	WEIGHT = 1024, EXTRA = 2048
};

const char *const rm_text_field_names[] = {
	"subset", "split", "rank", "score", "attributes", "teacher", "votes",
	"annotations", "p", "margin", "weight", "extra", NULL
};

/* The option that names such a column, NULL if none does; the fields that
 * the column brings. */
static const struct role {
	const char *option;
	uint32_t fields;
} roles[RM_TEXT_ROLES] = {
	[RM_TEXT_SUBSET] = { "subset", SUBSET },
	[RM_TEXT_SPLIT] = { NULL, SPLIT },
	[RM_TEXT_PROMPT] = { "prompt", 0 },
	[RM_TEXT_RESPONSES] = { "responses", 0 },
	[RM_TEXT_CHOSEN] = { "chosen", RANK },
	[RM_TEXT_REJECTED] = { "rejected", RANK },
	[RM_TEXT_RANK] = { "rank", RANK },
	[RM_TEXT_CHOICE] = { NULL, RANK },
	[RM_TEXT_VOTES] = { "votes", VOTES | RANK },
	[RM_TEXT_ANNOTATOR] = { NULL, VOTES | ANNOTATIONS | RANK },
	[RM_TEXT_SCORE] = { "score", SCORE | RANK },
	[RM_TEXT_ATTRIBUTES] = { "attributes", ATTRIBUTES },
	[RM_TEXT_TEACHER] = { "teacher", TEACHER },
	[RM_TEXT_P] = { NULL, P },
	[RM_TEXT_MARGIN] = { NULL, MARGIN },
	[RM_TEXT_WEIGHT] = { NULL, WEIGHT },
	[RM_TEXT_PER_RESPONSE] = { "per-response", EXTRA },
};

uint32_t rm_text_field_bit(const char *name)
{
	for (unsigned i = 0; rm_text_field_names[i]; i++)
		if (strcmp(rm_text_field_names[i], name) == 0)
			return (uint32_t)1 << i;
	return 0;
}

uint32_t rm_text_role_fields(enum rm_text_role role)
{
	return roles[role].fields;
}

const char *rm_text_role_name(enum rm_text_role role)
{
	return role == RM_TEXT_CHOICE ? "rank" : roles[role].option;
}

int rm_text_role_parse(const char *name)
{
	const char *names[RM_TEXT_ROLES + 1];
	struct rm_buf b = {0};
	size_t n = 0;

	for (int i = 0; i < RM_TEXT_ROLES; i++) {
		if (!roles[i].option)
			continue;
		if (strcmp(roles[i].option, name) == 0)
			return i;
		names[n++] = roles[i].option;
	}
	names[n] = NULL;
	rm_join_names(&b, names);
	rm_fail("no column role '%s'; there are %s", name, rm_buf_text(&b));
	rm_buf_fini(&b);
	return -1;
}

/* ---- names ---- */

/*
 * The first of the names ("a|b") that the row has, in *name, as the row's
 * own key; 1, 0 if it has none, -1 if it has two and that is ambiguous.
 */
static int resolve(const json_t *row, const struct rm_text_column *c,
		   const char **name)
{
	const char *p = c->names, *key;
	json_t *value;
	size_t n;

	*name = NULL;
	for (;;) {
		n = strcspn(p, "|");
		json_object_foreach((json_t *)(uintptr_t)row, key, value) {
			if (strlen(key) != n || memcmp(key, p, n) != 0)
				continue;
			if (*name)
				return rm_fail("columns %s and %s may both be "
					       "meant: name one with --%s",
					       *name, key,
					       rm_text_role_name(c->role));
			*name = key;
		}
		if (p[n] == '\0' || (*name && (c->flags & RM_TEXT_FIRST)))
			return *name != NULL;
		p += n + 1;
	}
}

static void list_columns(struct rm_buf *b, const json_t *row)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)row, key, value) {
		if (n++)
			rm_buf_puts(b, ", ");
		rm_buf_puts(b, key);
	}
}

static int fail_columns(const json_t *row, const char *fmt,
			const char *name)
{
	struct rm_buf b = {0}, what = {0};

	list_columns(&b, row);
	rm_buf_printf(&what, "%s%s", fmt, name);
	rm_fail("%s; the columns are %s", rm_buf_text(&what),
		rm_buf_text(&b));
	rm_buf_fini(&what);
	rm_buf_fini(&b);
	return -1;
}

/* ---- the shape ---- */

struct named {
	const struct rm_text_bind *bind;
	size_t n;
	uint32_t roles;		/* bits of roles that the user has named, and
				 * of those that these replace */
};

static uint32_t bit(enum rm_text_role role)
{
	return (uint32_t)1 << role;
}

static uint32_t replaced_by(enum rm_text_role role)
{
	switch ((int)role) {
	case RM_TEXT_PROMPT:
		return bit(role) | bit(RM_TEXT_TURNS);
	case RM_TEXT_RESPONSES:
		return bit(role) | bit(RM_TEXT_CHOSEN) |
		       bit(RM_TEXT_REJECTED) | bit(RM_TEXT_COMPLETIONS) |
		       bit(RM_TEXT_ANSWERS);
	case RM_TEXT_RANK:
		return bit(role) | bit(RM_TEXT_CHOICE);
	case RM_TEXT_VOTES:
		return bit(role) | bit(RM_TEXT_ANNOTATOR);
	default:
		return bit(role);
	}
}

/*
 * Whether the row has all columns that the kind needs; their names in
 * need[], at most max.
 */
static int fits(const struct rm_text_kind *kind, const json_t *row,
		uint32_t given, const char **need, size_t max, size_t *n)
{
	int got;

	*n = 0;
	for (const struct rm_text_column *c = kind->column; c->names; c++) {
		if (!(c->flags & RM_TEXT_NEEDED))
			continue;
		if (given & bit(c->role)) {
			if (c->role == RM_TEXT_TURNS)
				return 0;	/* goes with the answers */
			continue;
		}
		if (*n == max)
			return 0;
		got = resolve(row, c, &need[*n]);
		if (got <= 0)
			return got;
		++*n;
	}
	return 1;
}

enum { MAX_NEED = 16, MAX_FIT = 8 };

struct fit {
	const struct rm_text_kind *kind;
	const char *need[MAX_NEED];
	size_t n;		/* columns it needs from the row */
	size_t all;		/* and those that the user has named */
};

static size_t count_needed(const struct rm_text_kind *kind)
{
	size_t n = 0;

	for (const struct rm_text_column *c = kind->column; c->names; c++)
		n += (c->flags & RM_TEXT_NEEDED) != 0;
	return n;
}

static bool has_all(const struct fit *a, const struct fit *of)
{
	for (size_t i = 0; i < of->n; i++) {
		size_t j = 0;

		while (j < a->n && strcmp(a->need[j], of->need[i]) != 0)
			j++;
		if (j == a->n)
			return false;
	}
	return true;
}

/* Whether b needs all that a needs, and more; or the same and is simpler. */
static bool beats(const struct fit *b, const struct fit *a)
{
	return has_all(b, a) && (b->n > a->n ||
				 (b->n == a->n && b->all < a->all));
}

/* Leave out the fits that another one contains. */
static size_t most_specific(struct fit *fit, size_t n)
{
	size_t kept = 0;
	bool drop[MAX_FIT] = {0};

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			drop[i] |= beats(&fit[j], &fit[i]);
	for (size_t i = 0; i < n; i++)
		if (!drop[i])
			fit[kept++] = fit[i];
	return kept;
}

static const struct rm_text_kind *fail_ambiguous(const struct fit *fit,
						 size_t n)
{
	struct rm_buf b = {0};

	for (size_t i = 0; i < n; i++) {
		rm_buf_puts(&b, i ? "; and " : "");
		for (size_t j = 0; j < fit[i].n; j++)
			rm_buf_printf(&b, "%s%s", j ? ", " : "",
				      fit[i].need[j]);
	}
	rm_fail("the columns have several shapes: %s: name those to take with "
		"--responses, or --chosen and --rejected", rm_buf_text(&b));
	rm_buf_fini(&b);
	return NULL;
}

static const struct rm_text_kind *find_kind(const json_t *row,
					    uint32_t given)
{
	struct fit fit[MAX_FIT];
	size_t n = 0;

	if (given & bit(RM_TEXT_RESPONSES))
		return &rm_text_list;
	if ((given & bit(RM_TEXT_CHOSEN)) && (given & bit(RM_TEXT_REJECTED)))
		return &rm_text_pair;
	for (size_t i = 0; rm_text_kinds[i] && n < MAX_FIT; i++) {
		int got = fits(rm_text_kinds[i], row, given, fit[n].need,
			       MAX_NEED, &fit[n].n);

		if (got < 0)
			return NULL;
		if (got) {
			fit[n].all = count_needed(rm_text_kinds[i]);
			fit[n++].kind = rm_text_kinds[i];
		}
	}
	n = most_specific(fit, n);
	if (n == 1)
		return fit[0].kind;
	if (n > 1)
		return fail_ambiguous(fit, n);
	fail_columns(row, "the columns fit no known shape: name them with "
		     "--chosen and --rejected, or with --responses", "");
	return NULL;
}

bool rm_text_shape(size_t i, const char **name, const char **help)
{
	if (i + 1 >= RM_COUNT(rm_text_kinds))
		return false;
	*name = rm_text_kinds[i]->name;
	*help = rm_text_kinds[i]->help;
	return true;
}

/* ---- binding ---- */

static bool is_bound(const struct rm_text_binding *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->column[i].name, name) == 0)
			return true;
	return false;
}

static bool has_role(const struct rm_text_binding *b, enum rm_text_role role)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->column[i].role == role)
			return true;
	return false;
}

static int add(struct rm_text_binding *b, const char *name,
	       enum rm_text_role role, unsigned flags,
	       rm_text_choice_fn *choice)
{
	struct rm_text_bound *bigger;

	bigger = rm_realloc(b->column, b->n + 1, sizeof(*bigger));
	if (!bigger)
		return -1;
	b->column = bigger;
	b->column[b->n] = (struct rm_text_bound){ rm_strdup(name), role,
						  flags, choice };
	if (!b->column[b->n].name)
		return -1;
	b->n++;
	return 0;
}

static int add_named(struct rm_text_binding *b, const json_t *row,
		     struct named *named)
{
	for (size_t i = 0; i < named->n; i++) {
		const struct rm_text_bind *bind = &named->bind[i];
		int role = rm_text_role_parse(bind->role);

		if (role < 0)
			return -1;
		if (!json_object_get(row, bind->column))
			return fail_columns(row, "there is no column ",
					    bind->column);
		if (add(b, bind->column, (enum rm_text_role)role, 0, NULL) < 0)
			return -1;
		named->roles |= replaced_by((enum rm_text_role)role);
	}
	return 0;
}

/* Add the rows of a table whose role and column the user left free. */
static int add_table(struct rm_text_binding *b, const json_t *row,
		     const struct rm_text_column *c, uint32_t given,
		     size_t n_named)
{
	const char *name;
	size_t i;

	for (; c->names; c++) {
		int got = given & bit(c->role) ? 0 : resolve(row, c, &name);

		if (got < 0)
			return -1;
		for (i = 0; got && i < n_named; i++)
			if (strcmp(b->column[i].name, name) == 0)
				got = 0;
		if (got && add(b, name, c->role, c->flags, c->choice) < 0)
			return -1;
	}
	return 0;
}

static int add_common(struct rm_text_binding *b, const json_t *row)
{
	const char *name;

	for (const struct rm_text_column *c = rm_text_common; c->names; c++)
		if (!has_role(b, c->role) && resolve(row, c, &name) > 0 &&
		    !is_bound(b, name) &&
		    add(b, name, c->role, c->flags, NULL) < 0)
			return -1;
	return 0;
}

/* By role; columns of one role keep their order. */
static void sort_by_role(struct rm_text_binding *b)
{
	for (size_t i = 1; i < b->n; i++)
		for (size_t j = i; j > 0 && b->column[j].role <
				   b->column[j - 1].role; j--) {
			struct rm_text_bound t = b->column[j];

			b->column[j] = b->column[j - 1];
			b->column[j - 1] = t;
		}
}

static bool goes_to_extra(const struct rm_text_binding *b, const char *name)
{
	bool used = false;

	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(b->column[i].name, name) != 0)
			continue;
		if (b->column[i].role == RM_TEXT_PER_RESPONSE ||
		    (b->column[i].flags & RM_TEXT_KEPT))
			return true;
		used = true;
	}
	return !used;
}

static int note_columns(struct rm_text_binding *b, const json_t *row)
{
	size_t n = json_object_size(row);
	const char *key;
	json_t *value;

	b->seen = rm_calloc(n, sizeof(*b->seen));
	b->extra = rm_calloc(n, sizeof(*b->extra));
	if (!b->seen || !b->extra)
		return -1;
	json_object_foreach((json_t *)(uintptr_t)row, key, value) {
		b->seen[b->n_seen] = rm_strdup(key);
		if (!b->seen[b->n_seen])
			return -1;
		if (goes_to_extra(b, key))
			b->extra[b->n_extra++] = b->seen[b->n_seen];
		b->n_seen++;
	}
	if (b->n_extra)
		b->fields |= EXTRA;
	return 0;
}

static void note_fields(struct rm_text_binding *b, const json_t *row)
{
	const uint32_t labels = RANK | SCORE | ATTRIBUTES | TEACHER;

	for (size_t i = 0; i < b->n; i++) {
		const json_t *v = json_object_get(row, b->column[i].name);

		b->fields |= rm_text_role_fields(b->column[i].role);
		if (b->column[i].role == RM_TEXT_VOTES && json_is_array(v) &&
		    !json_is_number(json_array_get(v, 0)))
			b->fields |= ANNOTATIONS;
	}
	b->joins = b->kind->joins && (b->fields & labels);
}

struct rm_text_binding *rm_text_bind(const json_t *row,
				     const struct rm_text_bind *named,
				     size_t n_named)
{
	struct rm_text_binding *b = rm_calloc(1, sizeof(*b));
	struct named by_user = { named, n_named, 0 };

	if (!b || add_named(b, row, &by_user) < 0)
		goto fail;
	b->kind = find_kind(row, by_user.roles);
	if (!b->kind ||
	    add_table(b, row, b->kind->column, by_user.roles, n_named) < 0 ||
	    add_common(b, row) < 0)
		goto fail;
	sort_by_role(b);
	if (note_columns(b, row) < 0)
		goto fail;
	note_fields(b, row);
	return b;
fail:
	rm_text_binding_free(b);
	return NULL;
}

void rm_text_binding_free(struct rm_text_binding *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		free(b->column[i].name);
	for (size_t i = 0; i < b->n_seen; i++)
		free(b->seen[i]);
	free(b->column);
	free(b->seen);
	free(b->extra);
	free(b);
}

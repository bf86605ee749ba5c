/*
 * spec: a part chosen by name with options, "NAME" or "NAME:key=value,...":
 * losses, backbones, heads.
 *
 * A kind lists its keys in a table; parsing, ranges, defaults, help and the
 * JSON object that a model directory stores come from it.  Knows nothing of
 * what the kinds do.  Errors as in base.h; an unknown name or key is an
 * error that lists the valid ones.
 *
 *	static const struct rm_key keys[] = {
 *		RM_KEY_SIZE("dim", struct options, dim, 1, 4096, "16",
 *			    "width of an embedding row"),
 *		RM_KEY_END
 *	};
 *	json_t *config = rm_spec_parse("backbone", specs, "bag:dim=32");
 *	...	{"name": "bag", "dim": 32, ...}, defaults filled in
 *	rm_spec_fill(&spec, "backbone", config, &options);
 */
#ifndef RM_SPEC_H
#define RM_SPEC_H

#include "json.h"

enum rm_key_type {
	RM_KEY_TYPE_END, RM_KEY_TYPE_FLAG, RM_KEY_TYPE_SIZE,
	RM_KEY_TYPE_DOUBLE, RM_KEY_TYPE_CHOICE, RM_KEY_TYPE_LIST,
	RM_KEY_TYPE_NAMES, RM_KEY_TYPE_TEXT
};

/* The value of a key that lists numbers, "1/.5/2" when typed: at least one. */
struct rm_numbers {
	size_t n;
	double x[32];
};

/*
 * The value of a key that lists names of letters, digits, _ and -, "a,b,c"
 * when typed: at least one, and no two alike.
 */
struct rm_names {
	size_t n;
	char name[32][64];
};

/*
 * One key.  `offset` is the place of its value in the kind's struct of
 * options: bool, size_t, double, size_t (the index into choices), struct
 * rm_numbers, struct rm_names, or const char *: any text, which goes up to
 * the next ",KEY=" when typed and lives as long as the object it came from.
 */
struct rm_key {
	enum rm_key_type type;
	const char *name;
	size_t offset;
	double min, max;
	const char *fallback;		/* the default, as one would type it */
	const char *help;
	const char *const *choices;	/* ends in NULL */
	/* Or these, where the choices are a table that the build makes. */
	const char *const *(*names)(void);
};

#define RM_KEY_FLAG(name, type, member, fallback, help) \
	{ RM_KEY_TYPE_FLAG, name, offsetof(type, member), 0, 1, fallback, \
	  help, NULL, NULL }
#define RM_KEY_SIZE(name, type, member, min, max, fallback, help) \
	{ RM_KEY_TYPE_SIZE, name, offsetof(type, member), min, max, \
	  fallback, help, NULL, NULL }
#define RM_KEY_DOUBLE(name, type, member, min, max, fallback, help) \
	{ RM_KEY_TYPE_DOUBLE, name, offsetof(type, member), min, max, \
	  fallback, help, NULL, NULL }
#define RM_KEY_CHOICE(name, type, member, choices, fallback, help) \
	{ RM_KEY_TYPE_CHOICE, name, offsetof(type, member), 0, 0, fallback, \
	  help, choices, NULL }
#define RM_KEY_NAMES(name, type, member, names, fallback, help) \
	{ RM_KEY_TYPE_CHOICE, name, offsetof(type, member), 0, 0, fallback, \
	  help, NULL, names }
#define RM_KEY_LIST(name, type, member, min, max, fallback, help) \
	{ RM_KEY_TYPE_LIST, name, offsetof(type, member), min, max, \
	  fallback, help, NULL, NULL }
#define RM_KEY_NAMES_LIST(name, type, member, fallback, help) \
	{ RM_KEY_TYPE_NAMES, name, offsetof(type, member), 0, 0, fallback, \
	  help, NULL, NULL }
#define RM_KEY_TEXT(name, type, member, fallback, help) \
	{ RM_KEY_TYPE_TEXT, name, offsetof(type, member), 0, 0, fallback, \
	  help, NULL, NULL }
#define RM_KEY_END \
	{ RM_KEY_TYPE_END, NULL, 0, 0, 0, NULL, NULL, NULL, NULL }

/* What can be chosen: its name, one line of help, its keys (may be NULL). */
struct rm_spec {
	const char *name;
	const char *help;
	const struct rm_key *keys;
	/* Beside its keys it needs "config", the config.json of a family of
	 * transformers. */
	bool described;
};

/*
 * "NAME:key=value,..." as the object {"name": NAME, key: value, ...} with
 * every key of the kind, defaults filled in.  `what` names the sort of part
 * in messages; specs ends in NULL.  The caller owns the result.
 */
json_t *rm_spec_parse(const char *what, const struct rm_spec *const *specs,
		      const char *text);

/*
 * Set one key of a parsed object from text, under the same checks (such as
 * --dropout .1 for the head's key dropout); 0 / -1.
 */
int rm_spec_set(const char *what, const struct rm_spec *const *specs,
		json_t *config, const char *key, const char *value);

/* The index in specs of the name that the object holds, -1 with a message. */
int rm_spec_find(const char *what, const struct rm_spec *const *specs,
		 const json_t *config);

/*
 * The object into the kind's struct of options: unknown keys, wrong types
 * and values out of range are errors, missing keys take their defaults.
 */
int rm_spec_fill(const char *what, const struct rm_spec *spec,
		 const json_t *config, void *options);

/* The text of `--WHAT list`: names, help, keys with ranges and defaults. */
void rm_spec_list(struct rm_buf *out, const struct rm_spec *const *specs);

#endif

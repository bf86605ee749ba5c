/*
 * Cycles: a preferred to b, b to c, c to a, in comparisons of one prompt's
 * responses in several records.  (Within a record there is an order.)
 *
 * Of two responses the one that more records prefer counts; both ways in
 * equally many records is none.  Cycles then lie within strongly connected
 * components (Tarjan 1972); those of three are counted (Kendall, Babington
 * Smith 1940), and one of least length is shown.
 */
#include "pair/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 20, EXAMPLES = 5, LONGEST = 12 };

/* Steps in search of triads and examples: a few seconds. */
#define MOST_STEPS ((uint64_t)1 << 30)

struct edge {
	uint64_t prompt, winner, loser;	/* hashes */
	uint64_t record;
};

struct rm_cycles {
	struct edge *edge;
	size_t n, cap;
	unsigned int level;	/* prompts whose hash ends in so many 0s */
	bool full;		/* one prompt alone has too many */
	bool unknown;		/* responses that cannot be told apart */
};

struct rm_cycles *rm_cycles_new(void)
{
	return rm_calloc(1, sizeof(struct rm_cycles));
}

void rm_cycles_free(struct rm_cycles *c)
{
	if (!c)
		return;
	free(c->edge);
	free(c);
}

/* ---- adding comparisons ---- */

static bool sampled(const struct rm_cycles *c, uint64_t prompt)
{
	return (prompt * UINT64_C(0x9e3779b97f4a7c15) >> 20 &
		((UINT64_C(1) << c->level) - 1)) == 0;
}

static void thin(struct rm_cycles *c)
{
	size_t n = 0;

	c->level++;
	for (size_t i = 0; i < c->n; i++)
		if (sampled(c, c->edge[i].prompt))
			c->edge[n++] = c->edge[i];
	c->n = n;
}

int rm_cycles_add(struct rm_cycles *c, const struct rm_seen *seen,
		  size_t winner, size_t loser)
{
	uint64_t prompt = seen->has_prompt ? seen->prompt : 0;

	if (!seen->response) {
		c->unknown = true;
		return 0;
	}
	if (c->full || !sampled(c, prompt) ||
	    seen->response[winner] == seen->response[loser])
		return 0;
	while (c->n == MOST && c->level < 32)
		thin(c);
	c->full = c->n == MOST;
	if (c->full || !sampled(c, prompt))
		return 0;
	if (rm_grow(&c->edge, &c->cap, c->n + 1, sizeof(*c->edge)) < 0)
		return -1;
	c->edge[c->n++] = (struct edge){
		prompt, seen->response[winner], seen->response[loser],
		seen->number
	};
	return 0;
}

/* ---- one prompt's graph ---- */

/* V responses; from a winner v to losers to[first[v]..first[v + 1]). */
struct graph {
	size_t V, E;
	uint64_t *node;		/* [V] hashes in order */
	size_t *first;		/* [V + 1] */
	uint32_t *to;		/* [E] in order within a winner's */
	uint64_t *record;	/* [E] the first to say so */
	/* Tarjan's, and the search for a shortest cycle. */
	uint32_t *index, *low, *stack, *path;
	size_t *next;
	uint32_t *component;	/* [V] */
	size_t cap_V, cap_E;
};

struct found {
	const struct rm_ids *ids;
	struct graph g;
	uint64_t prompts, comparisons, contradictions;
	uint64_t components, responses, triads, steps;
	json_t *rows;
	size_t rows_of_two, rows_of_more;
};

static void free_graph(struct graph *g)
{
	free(g->node);
	free(g->first);
	free(g->to);
	free(g->record);
	free(g->index);
	free(g->low);
	free(g->stack);
	free(g->path);
	free(g->next);
	free(g->component);
}

static int grow_one(void *p, size_t from, size_t need, size_t size)
{
	size_t cap = from;

	return rm_grow(p, &cap, need, size);
}

/* For E comparisons: their responses, and what is kept of each. */
static int room_for_edges(struct graph *g, size_t E)
{
	if (E <= g->cap_E)
		return 0;
	if (grow_one(&g->node, 2 * g->cap_E, 2 * E, sizeof(*g->node)) < 0 ||
	    grow_one(&g->to, g->cap_E, E, sizeof(*g->to)) < 0 ||
	    grow_one(&g->record, g->cap_E, E, sizeof(*g->record)) < 0)
		return -1;
	g->cap_E = E;
	return 0;
}

static int room_for_nodes(struct graph *g, size_t V)
{
	size_t v = g->cap_V;

	if (V <= v)
		return 0;
	if (grow_one(&g->first, v, V, sizeof(*g->first)) < 0 ||
	    grow_one(&g->index, v, V, sizeof(*g->index)) < 0 ||
	    grow_one(&g->low, v, V, sizeof(*g->low)) < 0 ||
	    grow_one(&g->stack, v, V, sizeof(*g->stack)) < 0 ||
	    grow_one(&g->path, v, V, sizeof(*g->path)) < 0 ||
	    grow_one(&g->next, v, V, sizeof(*g->next)) < 0 ||
	    grow_one(&g->component, v, V, sizeof(*g->component)) < 0)
		return -1;
	g->cap_V = V;
	return 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_hash(const void *x, const void *y)
{
	return compare_u64(*(const uint64_t *)x, *(const uint64_t *)y);
}

static int by_prompt(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;
	int order = compare_u64(a->prompt, b->prompt);

	if (order == 0)
		order = compare_u64(a->winner, b->winner);
	if (order == 0)
		order = compare_u64(a->loser, b->loser);
	return order ? order : compare_u64(a->record, b->record);
}

static size_t node_of(const struct graph *g, uint64_t hash)
{
	const uint64_t *at = bsearch(&hash, g->node, g->V, sizeof(hash),
				     by_hash);

	return (size_t)(at - g->node);
}

/* How many edges from the first on are between the same two. */
static size_t run_length(const struct edge *edge, size_t n)
{
	size_t i = 1;

	while (i < n && edge[i].winner == edge[0].winner &&
	       edge[i].loser == edge[0].loser)
		i++;
	return i;
}

/* Where those begin that say the opposite of `of`, and how many. */
static size_t find_opposite(const struct edge *edge, size_t n,
			    const struct edge *of, size_t *count)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare_u64(edge[mid].winner, of->loser);

		if (order == 0)
			order = compare_u64(edge[mid].loser, of->winner);
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*count = 0;
	if (low < n && edge[low].winner == of->loser &&
	    edge[low].loser == of->winner)
		*count = run_length(edge + low, n - low);
	return low;
}

static void make_nodes(struct graph *g, const struct edge *edge, size_t n)
{
	size_t unique = 0;

	for (size_t i = 0; i < n; i++) {
		g->node[2 * i] = edge[i].winner;
		g->node[2 * i + 1] = edge[i].loser;
	}
	qsort(g->node, 2 * n, sizeof(*g->node), by_hash);
	for (size_t i = 0; i < 2 * n; i++)
		if (i == 0 || g->node[i] != g->node[i - 1])
			g->node[unique++] = g->node[i];
	g->V = unique;
}

static void add_example(struct found *f, const uint64_t *records, size_t n);

/* The edges that more records say than say the opposite. */
static void make_edges(struct found *f, const struct edge *edge, size_t n)
{
	struct graph *g = &f->g;
	size_t count, back, at, v = 0;

	g->E = 0;
	for (size_t i = 0; i < n; i += count) {
		count = run_length(edge + i, n - i);
		at = find_opposite(edge, n, &edge[i], &back);
		if (back && edge[i].winner < edge[i].loser) {
			uint64_t a = edge[i].record, b = edge[at].record;

			add_example(f, (uint64_t[]){ RM_MIN(a, b),
						     RM_MAX(a, b) }, 2);
			f->contradictions++;
		}
		if (count <= back)
			continue;
		for (size_t to = node_of(g, edge[i].winner); v <= to; v++)
			g->first[v] = g->E;
		g->record[g->E] = edge[i].record;
		g->to[g->E++] = (uint32_t)node_of(g, edge[i].loser);
	}
	for (; v <= g->V; v++)
		g->first[v] = g->E;
}

/* ---- components ---- */

#define UNSEEN UINT32_MAX

/* The component that v closes, from the stack. */
static size_t close_component(struct graph *g, uint32_t v, size_t top)
{
	uint32_t w;

	do {
		w = g->stack[--top];
		g->component[w] = v;
	} while (w != v);
	return top;
}

/* All that v reaches, without recursion; *seen numbers, *top of the stack. */
static void visit(struct graph *g, uint32_t start, uint32_t *seen,
		  size_t *top)
{
	size_t depth = 0;
	uint32_t v = start, w;

	for (g->path[depth++] = v; depth; v = depth ? g->path[depth - 1] : 0) {
		if (g->index[v] == UNSEEN) {
			g->index[v] = g->low[v] = (*seen)++;
			g->next[v] = g->first[v];
			g->stack[(*top)++] = v;
		}
		if (g->next[v] < g->first[v + 1]) {
			w = g->to[g->next[v]++];
			if (g->index[w] == UNSEEN)
				g->path[depth++] = w;
			else if (g->component[w] == UNSEEN)
				g->low[v] = RM_MIN(g->low[v], g->index[w]);
			continue;
		}
		if (g->low[v] == g->index[v])
			*top = close_component(g, v, *top);
		if (--depth) {
			w = g->path[depth - 1];
			g->low[w] = RM_MIN(g->low[w], g->low[v]);
		}
	}
}

static void find_components(struct graph *g)
{
	uint32_t seen = 0;
	size_t top = 0;

	memset(g->index, 0xff, g->V * sizeof(*g->index));
	memset(g->component, 0xff, g->V * sizeof(*g->component));
	for (uint32_t v = 0; v < g->V; v++)
		if (g->index[v] == UNSEEN)
			visit(g, v, &seen, &top);
}

/* ---- what is in them ---- */

static bool has_edge(const struct graph *g, uint32_t from, uint32_t to)
{
	size_t low = g->first[from], high = g->first[from + 1];

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (g->to[mid] < to)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->first[from + 1] && g->to[low] == to;
}

/* Each u > v > w > u once, with u the least. */
static void count_triads(struct found *f, uint32_t u)
{
	const struct graph *g = &f->g;

	for (size_t i = g->first[u]; i < g->first[u + 1]; i++) {
		uint32_t v = g->to[i];

		if (v < u || g->component[v] != g->component[u])
			continue;
		f->steps += g->first[v + 1] - g->first[v];
		if (f->steps > MOST_STEPS)
			return;
		for (size_t j = g->first[v]; j < g->first[v + 1]; j++)
			f->triads += g->to[j] > u && has_edge(g, g->to[j], u);
	}
}

static void add_example(struct found *f, const uint64_t *records, size_t n)
{
	size_t *rows = n == 2 ? &f->rows_of_two : &f->rows_of_more;
	struct rm_buf name = {0};
	json_t *row;

	if (*rows == EXAMPLES)
		return;
	(*rows)++;
	row = json_object();
	for (size_t i = 0; i < RM_MIN(n, (size_t)LONGEST); i++)
		rm_ids_print(&name, f->ids, records[i]);
	if (n > LONGEST)
		rm_buf_puts(&name, " ...");
	json_object_set_new(row, "length", rm_whole((double)n));
	json_object_set_new(row, "name", rm_text_json(
			    (struct rm_slice){ name.data, name.len }));
	json_array_append_new(f->rows, row);
	rm_buf_fini(&name);
}

static void begin_with_least(uint64_t *records, size_t n)
{
	uint64_t turned[LONGEST];
	size_t least = 0;

	for (size_t i = 0; i < n; i++)
		if (records[i] < records[least])
			least = i;
	for (size_t i = 0; i < n; i++)
		turned[i] = records[(least + i) % n];
	memcpy(records, turned, n * sizeof(*records));
}

/* The records along the way back to u, which v's edge closes. */
static void show_cycle(struct found *f, uint32_t u, uint32_t v, size_t edge)
{
	const struct graph *g = &f->g;
	uint64_t records[LONGEST + 1];
	size_t n = 1, i, at;

	for (uint32_t w = v; w != u; w = g->low[w])
		n++;
	for (i = n, at = edge; i-- > 0;) {
		if (i < RM_COUNT(records))
			records[i] = g->record[at];
		at = g->next[v];
		v = g->low[v];
	}
	if (n <= LONGEST)
		begin_with_least(records, n);
	add_example(f, records, n);
}

/*
 * A shortest cycle through u: breadth first within the component.  Tarjan's
 * arrays are free again: low is where a node was come from, next by what
 * edge, index whether it was reached.
 */
static void find_cycle(struct found *f, uint32_t u)
{
	struct graph *g = &f->g;
	size_t head = 0, tail = 0;

	memset(g->index, 0xff, g->V * sizeof(*g->index));
	g->path[tail++] = u;
	g->index[u] = 0;
	g->low[u] = u;
	g->next[u] = 0;
	while (head < tail) {
		uint32_t v = g->path[head++];

		for (size_t i = g->first[v]; i < g->first[v + 1]; i++) {
			uint32_t w = g->to[i];

			if (w == u) {
				show_cycle(f, u, v, i);
				return;
			}
			if (g->component[w] != g->component[u] ||
			    g->index[w] != UNSEEN)
				continue;
			g->index[w] = 0;
			g->low[w] = v;
			g->next[w] = i;
			g->path[tail++] = w;
		}
	}
}

/* Components are named by a node of theirs; sizes in g->stack. */
static void look_at_components(struct found *f)
{
	struct graph *g = &f->g;

	memset(g->stack, 0, g->V * sizeof(*g->stack));
	for (size_t v = 0; v < g->V; v++)
		g->stack[g->component[v]]++;
	for (uint32_t v = 0; v < g->V; v++) {
		if (g->stack[g->component[v]] < 2)
			continue;
		f->responses++;
		if (f->steps <= MOST_STEPS)
			count_triads(f, v);
		if (g->component[v] != v)
			continue;
		f->components++;
		if (f->rows_of_more < EXAMPLES)
			find_cycle(f, v);
	}
}

/* The n edges of a prompt, in order. */
static int look_at(struct found *f, const struct edge *edge, size_t n)
{
	size_t i = 1;

	while (i < n && edge[i].record == edge[0].record)
		i++;
	if (i == n)
		return 0;		/* of one record: no cycles */
	f->prompts++;
	f->comparisons += n;
	if (room_for_edges(&f->g, n) < 0)
		return -1;
	make_nodes(&f->g, edge, n);
	if (room_for_nodes(&f->g, f->g.V + 1) < 0)
		return -1;
	make_edges(f, edge, n);
	find_components(&f->g);
	look_at_components(f);
	return 0;
}

static int look_at_all(struct found *f, const struct rm_cycles *c)
{
	size_t end;

	for (size_t i = 0; i < c->n; i = end) {
		for (end = i + 1; end < c->n &&
		     c->edge[end].prompt == c->edge[i].prompt; end++)
			;
		if (end - i > 1 && look_at(f, c->edge + i, end - i) < 0)
			return -1;
	}
	return 0;
}

/* ---- figures ---- */

static void put_found(json_t *all, const struct rm_cycles *c,
		      const struct found *f)
{
	json_t *object = json_object();
	const struct {
		const char *name;
		uint64_t n;
	} row[] = {
		{ "prompts", f->prompts },
		{ "comparisons", f->comparisons },
		{ "contradictions", f->contradictions },
		{ "components", f->components },
		{ "responses", f->responses },
	};

	for (size_t i = 0; i < RM_COUNT(row); i++)
		json_object_set_new(object, row[i].name,
				    rm_whole((double)row[i].n));
	if (f->steps <= MOST_STEPS)
		json_object_set_new(object, "triads",
				    rm_whole((double)f->triads));
	else
		rm_lack(all, "triads", "too many comparisons in cycles to "
			"count those of three");
	if (c->level)
		json_object_set_new(object, "share_of_prompts",
				    rm_real(ldexp(1, -(int)c->level)));
	json_object_set_new(all, "cycles", object);
	if (json_array_size(f->rows))
		json_object_set(all, "cycle_examples", f->rows);
}

static const char *no_cycles(const struct rm_cycles *c)
{
	if (c->unknown && c->n == 0)
		return "no field responses or response_texts to know a "
		       "response by";
	if (c->full || (c->n == 0 && c->level > 0))
		return "more than 1048576 comparisons of one prompt";
	if (c->n == 0)
		return "there are no comparisons";
	return NULL;
}

int rm_cycles_put(json_t *all, struct rm_cycles *c, const struct rm_ids *ids)
{
	struct found f = { .ids = ids };
	const char *why = no_cycles(c);
	int status;

	if (!why)
		qsort(c->edge, c->n, sizeof(*c->edge), by_prompt);
	f.rows = json_array();
	status = why ? 0 : look_at_all(&f, c);
	if (!why && status == 0 && f.prompts == 0)
		why = c->level ? "of the prompts that were looked at none has "
				 "comparisons in two records"
			       : "no prompt has comparisons in two records";
	if (why)
		rm_lack(all, "cycles", why);
	else if (status == 0)
		put_found(all, c, &f);
	json_decref(f.rows);
	free_graph(&f.g);
	return status;
}

/* rm-pair: groups to pairs, triplets or lists; splits, samples, checks. */
#include "cli.h"
#include "pair.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEED 1
#define SAMPLE_MEMORY ((size_t)256 << 20)

static const char default_split[] = "train=.8,valid=.1,test=.1";

static const char *const as_names[] = {
	"pairs", "list", "triplets", "best-vs-rest", NULL
};
static const char *const ties_names[] = { "drop", "keep", NULL };
static const char *const weight_names[] = { "field", "votes", "agreement",
					    NULL };
static const char *const margin_names[] = { "field", "score", "strength",
					    NULL };
static const char *const leaks_names[] = { "drop", "report", NULL };
static const char *const balance_names[] = { "none", "length", NULL };
static const char *const format_names[] = { "text", "json", NULL };

static struct {
	const char *as, *ties, *weight, *margin, *split, *take, *split_by;
	int64_t split_seed, seed;
	struct rm_strings against, drop_annotator;
	const char *leaks, *shard, *balance, *format, *output;
	bool dedup, shuffle, skip_bad, stats, no_history, force, quiet;
	size_t limit, max_record;
} o = {
	.as = "pairs", .ties = "drop", .weight = "field", .margin = "field",
	.split = default_split, .leaks = "drop", .balance = "none",
	.format = "text", .split_seed = DEFAULT_SEED, .seed = DEFAULT_SEED,
	.max_record = RM_MAX_RECORD,
};

static const struct rm_option options[] = {
	RM_OPT_CHOICE(0, "as", &o.as, "WHAT", "what a group becomes",
		      as_names),
	RM_OPT_CHOICE(0, "ties", &o.ties, "WHAT",
		      "pairs of equal rank; one with a soft label is no tie",
		      ties_names),
	RM_OPT_CHOICE(0, "weight", &o.weight, "WHAT",
		      "weight of a pair: the field weight, number of votes, "
		      "|2p - 1|", weight_names),
	RM_OPT_CHOICE(0, "margin", &o.margin, "WHAT",
		      "margin of a pair: the field margin, difference of "
		      "scores, stated strength", margin_names),
	RM_OPT_STRING(0, "split", &o.split, "NAME=SHARE,...",
		      "write field split: parts by key"),
	RM_OPT_STRING(0, "take", &o.take, "NAME",
		      "pass on this part only: of the field split, if there "
		      "is one and none of the --split options, else of "
		      "--split"),
	RM_OPT_STRING(0, "split-by", &o.split_by, "COL",
		      "split by the values of COL, not by key; 'split' takes "
		      "the parts that the data states"),
	RM_OPT_I64(0, "split-seed", &o.split_seed, 0, 9007199254740992.0,
		   "SEED", "another split"),
	RM_OPT_LIST(0, "drop-annotator", &o.drop_annotator, "NAME,...",
		    "leave out these annotators' choices; labels are made of "
		    "the others'"),
	RM_OPT_LIST(0, "against", &o.against, "STREAM,...",
		    "drop records whose key is in these streams"),
	RM_OPT_CHOICE(0, "leaks", &o.leaks, "WHAT",
		      "what to do with those keys; report prints them, writes "
		      "no records, and exits 3 if there are any",
		      leaks_names),
	RM_OPT_FLAG(0, "dedup", &o.dedup,
		    "drop records with a prompt and responses seen before"),
	RM_OPT_FLAG(0, "shuffle", &o.shuffle,
		    "write in random order, by --seed"),
	RM_OPT_SIZE('n', "limit", &o.limit, 0, 9007199254740992.0, "N",
		    "stop after N records; 0 is all"),
	RM_OPT_STRING(0, "shard", &o.shard, "I/N",
		      "the I-th of N shares, by key"),
	RM_OPT_CHOICE(0, "balance", &o.balance, "WHAT",
		      "length: as many pairs with the longer response chosen "
		      "as with the shorter", balance_names),
	RM_OPT_FLAG(0, "skip-bad", &o.skip_bad,
		    "skip groups with too few responses"),
	RM_OPT_FLAG(0, "stats", &o.stats,
		    "print what is in the data, and what is wrong with it, "
		    "instead"),
	RM_OPT_CHOICE(0, "format", &o.format, "FORMAT", "of --stats",
		      format_names),
	RM_OPT_OUTPUT(&o.output),
	RM_OPT_SEED(&o.seed),
	RM_OPT_FLAG(0, "force", &o.force,
		    "mix tokenizers, replace an existing field split"),
	RM_OPT_NO_HISTORY(&o.no_history),
	RM_OPT_MAX_RECORD(&o.max_record),
	RM_OPT_QUIET(&o.quiet),
	RM_OPT_END
};

static const struct rm_tool tool = {
	"rm-pair", "turn groups into pairs; split, sample and check them",
	"[FILE...]", options,
	"Reads groups or pairs.  In this order: --drop-annotator, --against,\n"
	"--dedup, --split and --take, --shard, --as, --balance, --shuffle,\n"
	"--limit.\n"
};

/* One run. */
struct run {
	struct rm_reader *in;
	const struct rm_header *header;
	struct rm_output *out;
	struct rm_split split;
	bool parts;			/* records are in parts */
	bool stated;			/* that the data itself names */
	struct rm_filter_options filters;
	struct rm_keys leaked;
	struct rm_dropper *dropper;
	struct rm_filter *filter;
	struct rm_pairer *pairer;
	struct rm_sample *sample;
	struct rm_writer *writer;	/* one of these two, */
	struct rm_stats *stats;		/* or neither to report leaks */
	int id, key, length;
	struct rm_buf payload, text;
	uint64_t n_read, n_short;
	size_t n_unbalanced;
};

static bool is(const char *value, const char *name)
{
	return strcmp(value, name) == 0;
}

static unsigned int index_of(const char *const *names, const char *name)
{
	unsigned int i = 0;

	while (!is(names[i], name))
		i++;
	return i;
}

/* ---- options ---- */

static int parse_shard(struct run *r)
{
	const char *slash = strchr(o.shard, '/');
	char *i;
	struct rm_filter_options *f = &r->filters;
	int status;

	if (!slash)
		return rm_fail("'%s' is not I/N", o.shard);
	i = rm_strndup(o.shard, (size_t)(slash - o.shard));
	if (!i)
		return -1;
	status = rm_parse_size(slash + 1, 1, 1 << 30, &f->n_shards);
	if (status == 0)
		status = rm_parse_size(i, 1, f->n_shards, &f->shard);
	free(i);
	return status;
}

static void check_usage(void)
{
	bool pairs = is(o.as, "pairs") || is(o.as, "best-vs-rest");

	if (!pairs && !is(o.balance, "none"))
		rm_cli_usage(&tool, "--balance is for pairs, not --as %s",
			     o.as);
	if (!pairs && !(is(o.weight, "field") && is(o.margin, "field")))
		rm_cli_usage(&tool, "--weight and --margin are for pairs, "
			     "not --as %s", o.as);
	if (is(o.leaks, "report") && o.against.n == 0)
		rm_cli_usage(&tool, "--leaks report needs --against STREAM");
	if (is(o.leaks, "report") && o.stats)
		rm_cli_usage(&tool, "--leaks report and --stats both print "
			     "instead of the records: choose one");
	if (is(o.format, "json") && !o.stats)
		rm_cli_usage(&tool, "--format is of --stats");
	if (o.split_by && is(o.split_by, "split") && !o.take && !o.stats)
		rm_cli_usage(&tool, "--split-by split needs --take NAME");
}

static void parse_usage(struct run *r)
{
	check_usage();
	if (rm_split_parse(&r->split, o.split, o.split_seed) < 0) {
		rm_wrap("--split");
		rm_cli_usage(&tool, "%s", rm_error());
	}
	if (o.shard && parse_shard(r) < 0)
		rm_cli_usage(&tool, "--shard: %s", rm_error());
}

/* ---- opening ---- */

static struct rm_reader *open_reader(char *const *paths, size_t n)
{
	struct rm_reader_options limits = {
		.max_record = o.max_record, .force = o.force
	};

	return rm_reader_open(paths, n, &limits);
}

/* The keys of one stream of --against. */
static int read_keys(struct run *r, char *path)
{
	struct rm_reader *in = open_reader(&path, 1);
	const struct rm_record *rec;
	int key, got;

	if (!in)
		return -1;
	key = rm_schema_need(&rm_reader_header(in)->schema, "key",
			     " to compare");
	if (key < 0) {
		rm_wrap("%s", path);
		rm_reader_close(in);
		return -1;
	}
	while ((got = rm_reader_next(in, &rec)) > 0)
		if (!rm_record_is_nil(rec, key) &&
		    rm_keys_add(&r->leaked, rm_record_u64(rec, key)) < 0) {
			got = -1;
			break;
		}
	rm_reader_close(in);
	return got;
}

/*
 * Whether records are in parts, and whose: those that the data states in its
 * field split, unless an option says how to split it.
 */
static void choose_parts(struct run *r)
{
	const struct rm_schema *s = &r->header->schema;
	bool told = o.split_by || o.split != default_split ||
		    o.split_seed != DEFAULT_SEED;

	if (!told && (o.take || o.stats) && rm_schema_find(s, "split") >= 0)
		o.split_by = "split";
	r->stated = o.split_by && is(o.split_by, "split");
	r->parts = told || o.take || (o.stats && (r->stated || r->key >= 0));
	if (o.take && !r->stated && rm_split_find(&r->split, o.take) < 0)
		rm_cli_usage(&tool, "--take: %s", rm_error());
}

static int open_dropper(struct run *r)
{
	if (o.drop_annotator.n == 0)
		return 0;
	r->dropper = rm_dropper_new(&r->header->schema, r->header->pairs,
				    o.drop_annotator.item,
				    o.drop_annotator.n);
	return r->dropper ? 0 : rm_wrap("%s: --drop-annotator",
					rm_reader_name(r->in));
}

static int open_filter(struct run *r)
{
	const struct rm_schema *s = &r->header->schema;
	struct rm_filter_options *f = &r->filters;

	r->id = rm_schema_find(s, "id");
	r->key = rm_schema_find(s, "key");
	for (size_t i = 0; i < o.against.n; i++)
		if (read_keys(r, o.against.item[i]) < 0)
			return -1;
	f->leaked = o.against.n ? &r->leaked : NULL;
	f->dedup = o.dedup;
	choose_parts(r);
	f->split = r->parts ? &r->split : NULL;
	f->split_by = o.split_by;
	f->take = o.take;
	r->filter = rm_filter_new(s, f);
	if (!r->filter)
		return rm_wrap("%s", rm_reader_name(r->in));
	if (is(o.balance, "length")) {
		r->length = rm_length_field(s);
		if (r->length < 0)
			return rm_wrap("%s: --balance",
				       rm_reader_name(r->in));
	}
	return 0;
}

static int open_pairer(struct run *r)
{
	const struct rm_pair_options how = {
		.as = index_of(as_names, o.as),
		.keep_ties = is(o.ties, "keep"),
		.weight = index_of(weight_names, o.weight),
		.margin = index_of(margin_names, o.margin),
		.split = r->parts && !o.take,
	};

	if (how.split && !o.force &&
	    rm_schema_find(&r->header->schema, "split") >= 0)
		return rm_fail("%s: has a field split already: --take NAME "
			       "goes by it, --force replaces it",
			       rm_reader_name(r->in));
	r->pairer = rm_pairer_new(&r->header->schema, r->header->pairs,
				  &how);
	return r->pairer ? 0 : rm_wrap("%s", rm_reader_name(r->in));
}

static int open_writer(struct run *r, int argc, char **argv)
{
	struct rm_header h;
	int status = rm_header_copy(&h, r->header);

	if (status < 0)
		return -1;
	rm_schema_fini(&h.schema);
	status = rm_schema_copy(&h.schema, rm_pairer_schema(r->pairer));
	if (is(o.as, "pairs") || is(o.as, "best-vs-rest"))
		h.pairs = true;
	else if (is(o.as, "triplets"))
		h.pairs = false;
	if (status == 0 && !o.no_history)
		status = rm_header_add_history(&h, tool.name, argc, argv,
					       o.seed);
	if (status == 0)
		r->writer = rm_writer_open(r->out, &h);
	rm_header_fini(&h);
	return r->writer ? 0 : -1;
}

static int flush(void *out)
{
	return rm_output_flush(out);
}

static int open_run(struct run *r, int argc, char **argv, int first)
{
	r->in = open_reader(argv + first, (size_t)(argc - first));
	if (!r->in)
		return -1;
	r->header = rm_reader_header(r->in);
	if (open_dropper(r) < 0 || open_filter(r) < 0)
		return -1;
	r->out = rm_output_open(o.output);
	if (!r->out)
		return -1;
	if (is(o.leaks, "report"))
		return 0;
	if (o.stats) {
		r->stats = rm_stats_new(&r->header->schema,
					r->header->pairs);
		return r->stats ? 0 : -1;
	}
	if (open_pairer(r) < 0 || open_writer(r, argc, argv) < 0)
		return -1;
	if (o.shuffle || is(o.balance, "length")) {
		r->sample = rm_sample_new(SAMPLE_MEMORY);
		return r->sample ? 0 : -1;
	}
	rm_reader_on_pause(r->in, flush, r->out);
	return 0;
}

/* ---- record by record ---- */

static bool enough(const struct run *r)
{
	return o.limit > 0 && rm_writer_records(r->writer) >= o.limit;
}

static int report_leak(struct run *r, const struct rm_record *rec)
{
	struct rm_slice id = rm_record_bytes(rec, r->id);

	rm_buf_clear(&r->text);
	rm_buf_append(&r->text, id.data, id.len);
	if (!id.data)
		rm_buf_printf(&r->text, "%s:%zu", rm_reader_name(r->in),
			      rm_reader_number(r->in));
	rm_buf_printf(&r->text, "\t%016llx\n",
		      (unsigned long long)rm_record_u64(rec, r->key));
	if (r->text.failed)
		return -1;
	return rm_output_write(r->out, r->text.data, r->text.len);
}

static int longer_chosen(const struct run *r, const struct rm_record *rec,
			 const struct rm_pair *pair)
{
	int32_t a, b;

	if (!is(o.balance, "length"))
		return 0;
	a = rm_record_i32_at(rec, r->length, pair->pick[0]);
	b = rm_record_i32_at(rec, r->length, pair->pick[1]);
	return (a > b) - (a < b);
}

static int write_pair(struct run *r, const struct rm_record *rec,
		      const struct rm_pair *pair, const char *part)
{
	if (!r->sample && !r->dropper && rm_pairer_same(r->pairer, pair))
		return rm_writer_copy(r->writer, r->in);
	rm_buf_clear(&r->payload);
	rm_pairer_put(r->pairer, pair, part, &r->payload);
	if (r->sample)
		return rm_sample_add(r->sample, &r->payload,
				     longer_chosen(r, rec, pair));
	return rm_writer_write(r->writer, &r->payload);
}

static int write_record(struct run *r, const struct rm_record *rec,
			const char *part)
{
	struct rm_pair pair;

	if (rm_pairer_set(r->pairer, rec) < 0) {
		if (!o.skip_bad || !rm_pairer_short(r->pairer))
			return rm_reader_wrap(r->in);
		r->n_short++;
		return 0;
	}
	while (!enough(r) && rm_pairer_next(r->pairer, &pair))
		if (write_pair(r, rec, &pair, part) < 0)
			return -1;
	return 0;
}

static int do_record(struct run *r, const struct rm_record *rec)
{
	const char *part;
	int verdict;

	if (r->dropper && rm_dropper_record(r->dropper, &rec) < 0)
		return rm_reader_wrap(r->in);
	verdict = rm_filter_record(r->filter, rec, &part);
	if (verdict < 0)
		return rm_reader_wrap(r->in);
	if (is(o.leaks, "report"))
		return verdict == RM_LEAK ? report_leak(r, rec) : 0;
	if (verdict != RM_PASS)
		return 0;
	if (r->writer)
		return write_record(r, rec, part);
	if (rm_stats_add(r->stats, rec, part) < 0)
		return rm_reader_wrap(r->in);
	return 0;
}

/* At the end of the input: a name that was never met is a mistake. */
static int check_dropped(const struct run *r)
{
	const char *name = r->dropper ? rm_dropper_unseen(r->dropper) : NULL;

	if (!name)
		return 0;
	return rm_fail("--drop-annotator: no annotator is named '%s'", name);
}

static int do_records(struct run *r)
{
	struct rm_progress progress;
	const struct rm_record *rec;
	int got = 1;

	rm_progress_start(&progress, &tool,
			  r->header->pairs ? "pairs" : "groups", 0, o.quiet);
	while (!(r->writer && enough(r)) &&
	       (got = rm_reader_next(r->in, &rec)) > 0) {
		r->n_read++;
		if (do_record(r, rec) < 0) {
			got = -1;
			break;
		}
		rm_progress_update(&progress, (double)r->n_read, NULL);
	}
	rm_progress_end(&progress);
	return got < 0 ? -1 : got == 0 ? check_dropped(r) : 0;
}

/* What waited for the end of the input. */
static int write_sample(struct run *r)
{
	size_t n = rm_sample_count(r->sample);
	struct rm_slice bytes;

	if (rm_sample_end(r->sample, is(o.balance, "length"), o.shuffle,
			  o.seed) < 0)
		return -1;
	r->n_unbalanced = n - rm_sample_count(r->sample);
	n = rm_sample_count(r->sample);
	for (size_t i = 0; i < n && !enough(r); i++) {
		if (rm_sample_get(r->sample, i, &bytes) < 0)
			return -1;
		rm_buf_clear(&r->payload);
		rm_buf_append(&r->payload, bytes.data, bytes.len);
		if (rm_writer_write(r->writer, &r->payload) < 0)
			return -1;
	}
	return 0;
}

/* ---- the end ---- */

static void count(struct rm_buf *b, uint64_t n, const char *one,
		  const char *more)
{
	if (n > 0)
		rm_buf_printf(b, ", %llu %s", (unsigned long long)n,
			      n == 1 ? one : more);
}

/* "12 groups, 3 ties, ..." */
static const char *summary(struct run *r)
{
	const char *parts = r->stated ? "in other parts, by field split"
				      : "in other parts of the split";
	const struct {
		enum rm_verdict verdict;
		const char *one, *more;
	} verdicts[] = {
		{ RM_LEAK, "seen in --against", "seen in --against" },
		{ RM_DUPLICATE, "duplicate", "duplicates" },
		{ RM_OTHER_PART, parts, parts },
		{ RM_OTHER_SHARD, "in other shards", "in other shards" },
	};
	const struct rm_pair_counts *c = rm_pairer_counts(r->pairer);
	struct rm_buf *b = &r->text;

	rm_buf_clear(b);
	rm_buf_printf(b, "%llu %s%s read", (unsigned long long)r->n_read,
		      r->header->pairs ? "pair" : "group",
		      r->n_read == 1 ? "" : "s");
	for (size_t i = 0; i < RM_COUNT(verdicts); i++)
		count(b, rm_filter_count(r->filter, verdicts[i].verdict),
		      verdicts[i].one, verdicts[i].more);
	if (r->dropper)
		count(b, rm_dropper_count(r->dropper), "choice of dropped "
		      "annotators", "choices of dropped annotators");
	count(b, r->n_short, "with too few responses",
	      "with too few responses");
	if (is(o.ties, "keep"))
		count(b, c->ties, "tie kept", "ties kept");
	else
		count(b, c->ties, "tie dropped", "ties dropped");
	count(b, c->missing, "without a label", "without a label");
	count(b, c->barren, "group that gave nothing",
	      "groups that gave nothing");
	count(b, r->n_unbalanced, "dropped for balance",
	      "dropped for balance");
	return b->failed ? "" : rm_buf_text(b);
}

static int finish_records(struct run *r)
{
	if (r->sample && write_sample(r) < 0)
		return -1;
	if (rm_writer_records(r->writer) == 0)
		return rm_fail("nothing to write: %s", summary(r));
	if (rm_writer_finish(r->writer) < 0)
		return -1;
	if (!o.quiet)
		rm_cli_note(&tool, "%s; %zu written", summary(r),
			    rm_writer_records(r->writer));
	return 0;
}

static int finish_stats(struct run *r)
{
	json_t *figures = rm_stats_json(r->stats);

	if (!figures)
		return -1;
	rm_buf_clear(&r->payload);
	if (is(o.format, "json")) {
		rm_json_print(&r->payload, figures, 2);
		rm_buf_putc(&r->payload, '\n');
	} else {
		rm_stats_print(&r->payload, figures);
	}
	json_decref(figures);
	if (r->payload.failed)
		return -1;
	return rm_output_write(r->out, r->payload.data, r->payload.len);
}

static uint64_t leaks(const struct run *r)
{
	return r->filter ? rm_filter_count(r->filter, RM_LEAK) : 0;
}

static int finish(struct run *r)
{
	if (r->stats)
		return finish_stats(r);
	if (r->writer)
		return finish_records(r);
	if (!o.quiet)
		rm_cli_note(&tool, "%llu of %llu records have a key in "
			    "--against", (unsigned long long)leaks(r),
			    (unsigned long long)r->n_read);
	return 0;
}

static void close_run(struct run *r)
{
	rm_writer_free(r->writer);
	rm_stats_free(r->stats);
	rm_sample_free(r->sample);
	rm_pairer_free(r->pairer);
	rm_dropper_free(r->dropper);
	rm_filter_free(r->filter);
	rm_keys_fini(&r->leaked);
	rm_split_fini(&r->split);
	rm_reader_close(r->in);
	rm_buf_fini(&r->payload);
	rm_buf_fini(&r->text);
	rm_strings_fini(&o.against);
	rm_strings_fini(&o.drop_annotator);
}

int main(int argc, char **argv)
{
	int first = rm_cli_parse(&tool, argc, argv), status;
	struct run r = {0};
	bool ok;

	parse_usage(&r);
	rm_cli_need_input(&tool, argc, first);
	ok = open_run(&r, argc, argv, first) == 0 && do_records(&r) == 0 &&
	     finish(&r) == 0;
	status = rm_cli_end(&tool, r.out, ok);
	if (status == RM_EXIT_OK && is(o.leaks, "report") && leaks(&r) > 0)
		status = RM_EXIT_CHECK;
	close_run(&r);
	return status;
}

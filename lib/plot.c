#include "io.h"
#include "plot/kind.h"
#include "plot/svg.h"
#include "plot_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WIDTH = 640, HEIGHT = 420,	/* of a picture, unless it says more */
	SCALE = 2			/* pixels of the PNG to one of these */
};

const char *rm_plot_name(const struct rm_plot *p)
{
	return p->kind->name;
}

static int by_place(const void *a, const void *b)
{
	const struct rm_plot_kind *x = ((const struct rm_plot *)a)->kind;
	const struct rm_plot_kind *y = ((const struct rm_plot *)b)->kind;

	return x->place != y->place ? (x->place > y->place) -
		(x->place < y->place) : x->order - y->order;
}

static void show(struct rm_plot *p, struct rm_report_picture *to)
{
	*to = (struct rm_report_picture){
		.name = p->kind->name, .place = p->kind->place,
		.absent = p->absent, .title = rm_buf_text(&p->title),
		.caption = rm_buf_text(&p->caption),
	};
}

int rm_plots_make(struct rm_plots *p, const struct rm_plot_data *data)
{
	size_t i, n = RM_COUNT(rm_plot_kinds) - 1;

	*p = (struct rm_plots){0};
	p->plot = rm_calloc(n, sizeof(*p->plot));
	p->picture = rm_calloc(n, sizeof(*p->picture));
	if (!p->plot || !p->picture)
		return -1;
	p->n = n;
	for (i = 0; i < n; i++)
		p->plot[i] = (struct rm_plot){
			.kind = rm_plot_kinds[i], .width = WIDTH,
			.height = HEIGHT
		};
	qsort(p->plot, n, sizeof(*p->plot), by_place);
	for (i = 0; i < n; i++) {
		struct rm_plot *plot = &p->plot[i];

		if (plot->kind->make(plot, data) < 0 || plot->title.failed ||
		    plot->caption.failed || plot->script.failed)
			return -1;
		show(plot, &p->picture[i]);
	}
	return 0;
}

/* ---- drawn ---- */

static int draw(const struct rm_plot *p, const char *terminal,
		struct rm_buf *out)
{
	struct rm_buf script = {0};
	int status;

	rm_buf_puts(&script, terminal);
	rm_buf_append(&script, p->script.data, p->script.len);
	status = rm_gnuplot(&script, out);
	rm_buf_fini(&script);
	return status < 0 ? rm_wrap("picture %s", p->kind->name) : 0;
}

static int draw_svg(struct rm_plot *p)
{
	struct rm_buf raw = {0};
	const char *text;
	char terminal[160];
	int status;

	snprintf(terminal, sizeof(terminal), "set terminal svg size %u,%u "
		 "dynamic noenhanced font 'sans-serif,13' background "
		 "'#ffffff'\n", p->width, p->height);
	status = draw(p, terminal, &raw);
	text = status == 0 ? rm_buf_text(&raw) : NULL;
	if (text && (rm_plot_svg(p, text, false, &p->svg) < 0 ||
		     rm_plot_svg(p, text, true, &p->page) < 0))
		status = rm_wrap("picture %s", p->kind->name);
	else if (!text)
		status = -1;
	rm_buf_fini(&raw);
	return status;
}

static int draw_png(struct rm_plot *p)
{
	static const unsigned char begin[] = "\x89PNG\r\n\x1a\n";
	const size_t n = sizeof(begin) - 1;
	char terminal[160];

	snprintf(terminal, sizeof(terminal), "set terminal pngcairo size "
		 "%u,%u noenhanced font 'sans-serif,%d' linewidth %d "
		 "pointscale %d background '#ffffff'\n", SCALE * p->width,
		 SCALE * p->height, 10 * SCALE, SCALE, SCALE);
	if (draw(p, terminal, &p->png) < 0)
		return -1;
	if (p->png.len >= n && memcmp(p->png.data, begin, n) == 0)
		return 0;
	rm_fail("gnuplot wrote no PNG");
	return rm_wrap("picture %s", p->kind->name);
}

int rm_plots_draw(struct rm_plots *p, const struct rm_plot_data *data,
		  bool png)
{
	size_t i;

	if (rm_plots_make(p, data) < 0)
		return -1;
	for (i = 0; i < p->n; i++) {
		struct rm_plot *plot = &p->plot[i];

		if (plot->absent)
			continue;
		if (draw_svg(plot) < 0 || (png && draw_png(plot) < 0))
			return -1;
		p->picture[i].svg = rm_buf_text(&plot->page);
		if (!p->picture[i].svg)
			return -1;
	}
	return 0;
}

/* ---- saved ---- */

static int save(const struct rm_plot *p, const char *folder,
		const char *suffix, const struct rm_buf *data)
{
	struct rm_buf path = {0};
	int status = 0;

	rm_buf_printf(&path, "%s/%s.%s", folder, p->kind->name, suffix);
	if (!rm_buf_text(&path))
		status = -1;
	else if (!p->absent)
		status = rm_write_file((const char *)path.data, data->data,
				       data->len);
	else if (unlink((const char *)path.data) < 0 && errno != ENOENT)
		status = rm_fail("%s: %s", (const char *)path.data,
				 strerror(errno));
	rm_buf_fini(&path);
	return status;
}

int rm_plots_save(const struct rm_plots *p, const char *folder)
{
	size_t i;

	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return rm_fail("%s: %s", folder, strerror(errno));
	for (i = 0; i < p->n; i++)
		if (save(&p->plot[i], folder, "svg", &p->plot[i].svg) < 0 ||
		    save(&p->plot[i], folder, "png", &p->plot[i].png) < 0)
			return -1;
	return 0;
}

void rm_plots_fini(struct rm_plots *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		struct rm_plot *plot = &p->plot[i];

		rm_buf_fini(&plot->title);
		rm_buf_fini(&plot->caption);
		rm_buf_fini(&plot->script);
		rm_buf_fini(&plot->svg);
		rm_buf_fini(&plot->png);
		rm_buf_fini(&plot->page);
	}
	free(p->plot);
	free(p->picture);
	*p = (struct rm_plots){0};
}

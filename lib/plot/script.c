/* The one style of all pictures, and strings that are only strings. */
#include "plot/kind.h"

#include <math.h>
#include <string.h>

void rm_plot_begin(struct rm_plot *p)
{
	struct rm_buf *out = &p->script;
	const char *title = rm_buf_text(&p->title);

	rm_buf_puts(out,
		    "set encoding utf8\n"
		    "set style line 1 lc rgb '#000000' lw 2 dt 1 pt 7 ps .7\n"
		    "set style line 2 lc rgb '#666666' lw 1.5 dt 2 pt 4 "
		    "ps .8\n"
		    "set style line 3 lc rgb '#888888' lw 1 dt 3\n"
		    "set style line 4 lc rgb '#c4c4c4' lw 1 dt 1\n"
		    "set style line 5 lc rgb '#8c8c8c' pt 7 ps .25\n"
		    "set style fill solid 1 noborder\n"
		    "set border 3 lc rgb '#000000' lw 1\n"
		    "set tics nomirror out scale .6\n"
		    "set grid ytics lc rgb '#dddddd' lw .5 dt 1\n"
		    "set key top right noenhanced samplen 2.5 spacing 1.2\n"
		    "set bars .5\n");
	rm_buf_puts(out, "set title ");
	rm_plot_quote(out, title ? title : "", 90);
	rm_buf_puts(out, " noenhanced\n");
}

void rm_plot_axes(struct rm_plot *p, const char *x, const char *y)
{
	rm_buf_puts(&p->script, "set xlabel ");
	rm_plot_quote(&p->script, x, 90);
	rm_buf_puts(&p->script, " noenhanced\nset ylabel ");
	rm_plot_quote(&p->script, y, 60);
	rm_buf_puts(&p->script, " noenhanced\n");
}

/*
 * Between single quotes gnuplot looks at nothing but a quote, which is
 * doubled: no backticks, no macros, no backslashes.
 */
static void quote(struct rm_buf *out, const char *text, size_t most,
		  bool format)
{
	size_t characters = rm_utf8_count(text, strlen(text)), n = 0;

	rm_buf_putc(out, '\'');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c & 0xc0) != 0x80 && n++ + 1 >= most &&
		    characters > most) {
			rm_buf_puts(out, "\xe2\x80\xa6");
			break;
		}
		if (c == '\'' || (c == '%' && format))
			rm_buf_putc(out, c);
		rm_buf_putc(out, c < 0x20 || c == 0x7f ? ' ' : c);
	}
	rm_buf_putc(out, '\'');
}

void rm_plot_quote(struct rm_buf *out, const char *text, size_t most)
{
	quote(out, text, most, false);
}

void rm_plot_quote_label(struct rm_buf *out, const char *text, size_t most)
{
	quote(out, text, most, true);
}

void rm_plot_number(struct rm_buf *out, double x)
{
	if (isfinite(x))
		rm_buf_printf(out, " %.8g", x);
	else
		rm_buf_puts(out, " NaN");
}

static void put_count(struct rm_buf *out, size_t n)
{
	if (n >= 1000) {
		put_count(out, n / 1000);
		rm_buf_printf(out, ",%03zu", n % 1000);
	} else {
		rm_buf_printf(out, "%zu", n);
	}
}

void rm_plot_things(struct rm_buf *out, size_t n, const char *one)
{
	put_count(out, n);
	rm_buf_printf(out, " %s%s", one, n == 1 ? "" : "s");
}

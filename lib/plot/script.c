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
		    "set style line 2 lc rgb '#666666' lw 1.5 dt (9,4) "
		    "pt 4 ps .8\n"
		    "set style line 3 lc rgb '#888888' lw 1 dt 3\n"
		    "set style line 4 lc rgb '#c4c4c4' lw 1 dt 1\n"
		    "set style line 5 lc rgb '#8c8c8c' pt 7 ps .25\n"
		    "set style fill solid 1 noborder\n"
		    "set border 3 lc rgb '#000000' lw 1\n"
		    "set tics nomirror out scale .6\n"
		    "set grid ytics lc rgb '#d4d4d4' lw .7 dt 1\n"
		    "set key at screen .53, screen .015 center bottom "
		    "horizontal maxrows 1 Left reverse noenhanced "
		    "samplen 2.5\n"
		    "set bmargin 5.2\n"
		    "set autoscale fix\n"
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

/* Columns of a character by its first byte; East Asian ones are wide. */
static size_t columns(unsigned char first)
{
	return (first & 0xc0) == 0x80 ? 0 : first >= 0xe3 ? 2 : 1;
}

static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += columns((unsigned char)*text);
	return n;
}

/* Marks that turn the direction of what follows, in UTF-8. */
static bool turns(const char *s)
{
	return !memcmp(s, "\xe2\x80", 2) ? (s[2] & 0xff) >= 0xaa &&
		(s[2] & 0xff) <= 0xae : !memcmp(s, "\xe2\x81", 2) &&
		(s[2] & 0xff) >= 0xa6 && (s[2] & 0xff) <= 0xa9;
}

/*
 * Between single quotes gnuplot looks at nothing but a quote: no backticks,
 * no macros, no backslashes.  A quote would have to be doubled, which
 * gnuplot 5.4 misreads at the beginning of a string, so it becomes an
 * apostrophe.
 */
static void quote(struct rm_buf *out, const char *text, size_t most,
		  bool format)
{
	size_t n = 0;
	bool whole = width(text) <= most;

	rm_buf_putc(out, '\'');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		n += columns(c);
		if (n >= most && !whole && columns(c)) {
			rm_buf_puts(out, "\xe2\x80\xa6");
			break;
		}
		if (c == 0xe2 && turns(text)) {
			text += 2;
			continue;
		}
		if (c == '%' && format)
			rm_buf_putc(out, c);
		if (c == '\'')
			rm_buf_puts(out, "\xe2\x80\x99");
		else
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

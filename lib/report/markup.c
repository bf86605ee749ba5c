/* Sections, tables and text of a page of HTML, which is XML as well. */
#include "report/formats.h"
#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void rm_html_text(struct rm_buf *out, const char *s)
{
	for (; s && *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '<')
			rm_buf_puts(out, "&lt;");
		else if (c == '>')
			rm_buf_puts(out, "&gt;");
		else if (c == '&')
			rm_buf_puts(out, "&amp;");
		else if (c == '"')
			rm_buf_puts(out, "&quot;");
		else if (c == '\'')
			rm_buf_puts(out, "&#39;");
		else if (c == '\n' || c == '\t')
			rm_buf_putc(out, ' ');
		else if (c < 0x20 || c == 0x7f)
			rm_buf_puts(out, "\xef\xbf\xbd");
		else
			rm_buf_putc(out, c);
	}
}

static void put_formatted(struct rm_buf *out, const char *fmt, va_list ap)
	RM_PRINTF(2, 0);

static void put_formatted(struct rm_buf *out, const char *fmt, va_list ap)
{
	struct rm_buf text = {0};

	rm_buf_vprintf(&text, fmt, ap);
	rm_html_text(out, rm_buf_text(&text));
	out->failed |= text.failed;
	rm_buf_fini(&text);
}

void rm_html_section(struct rm_buf *out, const char *id, const char *fmt, ...)
{
	va_list ap;

	rm_buf_printf(out, "<section id=\"%s\">\n<h2>", id);
	va_start(ap, fmt);
	put_formatted(out, fmt, ap);
	va_end(ap);
	rm_buf_puts(out, "</h2>\n");
}

void rm_html_section_end(struct rm_buf *out)
{
	rm_buf_puts(out, "</section>\n");
}

void rm_html_table(struct rm_buf *out, const char *const *heads)
{
	rm_buf_puts(out, "<div class=\"table\"><table>\n<thead><tr>");
	for (; *heads; heads++) {
		rm_buf_puts(out, strcmp(*heads, RM_HTML_WORDS) ?
			    "<th scope=\"col\">" :
			    "<th scope=\"col\" class=\"words\">");
		rm_html_text(out, *heads);
		rm_buf_puts(out, "</th>");
	}
	rm_buf_puts(out, "</tr></thead>\n<tbody>\n");
}

void rm_html_row(struct rm_buf *out, const char *name)
{
	rm_buf_puts(out, "<tr><th scope=\"row\"><bdi>");
	rm_html_text(out, name);
	rm_buf_puts(out, "</bdi></th>");
}

void rm_html_cell(struct rm_buf *out, const char *fmt, ...)
{
	va_list ap;

	rm_buf_puts(out, "<td>");
	va_start(ap, fmt);
	put_formatted(out, fmt, ap);
	va_end(ap);
	rm_buf_puts(out, "</td>");
}

void rm_html_number(struct rm_buf *out, const char *fmt, double x)
{
	rm_buf_puts(out, "<td>");
	if (isnan(x))
		rm_buf_puts(out, "n/a");
	else
		rm_buf_printf(out, fmt, x);
	rm_buf_puts(out, "</td>");
}

void rm_html_interval(struct rm_buf *out, const char *fmt, double low,
		      double high)
{
	rm_buf_puts(out, "<td>");
	if (!isnan(low))
		rm_buf_printf(out, fmt, low, high);
	rm_buf_puts(out, "</td>");
}

void rm_html_words(struct rm_buf *out, const char *text)
{
	rm_buf_puts(out, "<td class=\"words\">");
	rm_html_text(out, text);
	rm_buf_puts(out, "</td>");
}

void rm_html_row_end(struct rm_buf *out)
{
	rm_buf_puts(out, "</tr>\n");
}

void rm_html_table_end(struct rm_buf *out, const char *note)
{
	rm_buf_puts(out, "</tbody></table></div>\n");
	if (!note)
		return;
	rm_buf_puts(out, "<p class=\"note\">");
	rm_html_text(out, note);
	rm_buf_puts(out, "</p>\n");
}

static void put_words(struct rm_buf *out, const struct rm_report *r,
		      const struct rm_figure *f)
{
	const struct rm_metric_kind *m = f->metric;

	rm_buf_puts(out, "<td class=\"words\">");
	if (isnan(f->value)) {
		rm_buf_puts(out, "<em>");
		rm_html_text(out, rm_report_why_absent(r, m));
		rm_buf_puts(out, "</em><br/>");
	}
	rm_html_text(out, m->brief);
	rm_buf_puts(out, "<br/><small>");
	rm_html_text(out, m->definition);
	rm_buf_puts(out, "</small></td>");
}

void rm_html_figures(struct rm_buf *out)
{
	static const char *const heads[] = {
		"Figure", "Value", "95 % interval", RM_HTML_WORDS, NULL
	};

	rm_html_table(out, heads);
}

void rm_html_figure(struct rm_buf *out, const struct rm_report *r,
		    const struct rm_figure *f)
{
	rm_html_row(out, f->metric->name);
	rm_buf_puts(out, "<td>");
	rm_report_put_value(out, f);
	rm_buf_puts(out, "</td><td>");
	if (!isnan(f->value))
		rm_report_put_interval(out, f);
	rm_buf_puts(out, "</td>");
	put_words(out, r, f);
	rm_html_row_end(out);
}

void rm_html_findings(struct rm_buf *out, struct rm_buf *lines)
{
	static const char arrow[] = "  -> ";
	char *s = lines->len ? rm_buf_text(lines) : NULL, *end;
	bool open = false;

	out->failed |= lines->failed;
	for (; s && *s; s = end + 1) {
		end = s + strcspn(s, "\n");
		if (*end == '\0')
			break;
		*end = '\0';
		if (!strncmp(s, arrow, strlen(arrow))) {
			rm_buf_puts(out, open ? "</p>\n<p class=\"finding\">" :
				    "<p class=\"finding\">");
			s += strlen(arrow);
		} else {
			s += strspn(s, " ");
			rm_buf_putc(out, ' ');
		}
		open = true;
		rm_html_text(out, s);
	}
	if (open)
		rm_buf_puts(out, "</p>\n");
}

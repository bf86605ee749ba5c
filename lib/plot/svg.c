/* gnuplot's SVG with a title for readers, checked and stripped. */
#include "plot/svg.h"

#include <ctype.h>
#include <string.h>

static const char *const refused[] = {
	"script", "foreignObject", "a", "image", "iframe", "style", "set",
	"animate", "handler", NULL
};

static void put_text(struct rm_buf *out, const char *s)
{
	for (; s && *s; s++) {
		if (*s == '<')
			rm_buf_puts(out, "&lt;");
		else if (*s == '&')
			rm_buf_puts(out, "&amp;");
		else
			rm_buf_putc(out, (unsigned char)*s < ' ' ? ' ' : *s);
	}
}

static void put_head(const struct rm_plot *p, bool page, struct rm_buf *out)
{
	const char *name = rm_plot_name(p);
	struct rm_buf title = p->title, caption = p->caption;

	if (page)
		rm_buf_printf(out, "<svg viewBox=\"0 0 %u %u\" width=\"%u\" "
			      "height=\"%u\" role=\"img\" "
			      "aria-labelledby=\"%s-title %s-desc\">\n",
			      p->width, p->height, p->width, p->height, name,
			      name);
	else
		rm_buf_printf(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
			      "\n<svg viewBox=\"0 0 %u %u\" width=\"%u\" "
			      "height=\"%u\"\n"
			      " xmlns=\"http://www.w3.org/2000/svg\"\n"
			      " xmlns:xlink=\"http://www.w3.org/1999/xlink\">"
			      "\n", p->width, p->height, p->width, p->height);
	rm_buf_printf(out, page ? "<title id=\"%s-title\">" : "<title>", name);
	put_text(out, rm_buf_text(&title));
	rm_buf_printf(out, page ? "</title>\n<desc id=\"%s-desc\">" :
		      "</title>\n<desc>", name);
	put_text(out, rm_buf_text(&caption));
	rm_buf_puts(out, "</desc>\n");
}

static int check_tag(const char *tag, size_t n)
{
	size_t length = strcspn(tag + 1, " \t\n/>"), i;

	for (i = 0; refused[i]; i++)
		if (length == strlen(refused[i]) &&
		    !strncmp(tag + 1, refused[i], length))
			return rm_fail("gnuplot's SVG has an element <%s>",
				       refused[i]);
	for (i = 1; i + 3 < n; i++) {
		if (isspace((unsigned char)tag[i - 1]) &&
		    !strncmp(tag + i, "on", 2))
			return rm_fail("gnuplot's SVG has an attribute on...");
		if (!strncmp(tag + i, "href=", 5) &&
		    (i + 6 >= n || tag[i + 6] != '#'))
			return rm_fail("gnuplot's SVG refers to another file");
	}
	return 0;
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* A tag of the picture, with what makes its names its own. */
static void put_tag(const struct rm_plot *p, const char *tag, size_t n,
		    struct rm_buf *out)
{
	static const char *const names[] = {
		"id=\"", "id='", "href=\"#", "href='#", "url(#"
	};
	size_t i, k;

	for (i = 0; i < n; i++) {
		if (begins(tag + i, "xlink:href="))
			i += strlen("xlink:");
		for (k = 0; k < RM_COUNT(names); k++)
			if (begins(tag + i, names[k]))
				break;
		if (k == RM_COUNT(names)) {
			rm_buf_putc(out, tag[i]);
			continue;
		}
		rm_buf_printf(out, "%s%s-", names[k], rm_plot_name(p));
		i += strlen(names[k]) - 1;
	}
}

/* Groups that hold nothing, of which there are many. */
static size_t empty_group(const char *tag, size_t n)
{
	static const char end[] = "\n</g>\n";

	return begins(tag, "<g fill=") && begins(tag + n, end) ?
		n + sizeof(end) - 1 : 0;
}

int rm_plot_svg(const struct rm_plot *p, const char *from, bool page,
		struct rm_buf *out)
{
	const char *at = strstr(from, "<svg");
	size_t n, skip;

	at = at ? strstr(at, "</desc>") : NULL;
	if (!at)
		return rm_fail("gnuplot wrote no SVG");
	if (!strstr(at, "</svg>"))
		return rm_fail("gnuplot's SVG has no end");
	put_head(p, page, out);
	for (at += strlen("</desc>"); *at; at += n) {
		n = strcspn(at, "<");
		rm_buf_append(out, at, n);
		at += n;
		n = strcspn(at, ">");
		n += at[n] != '\0';
		if (n == 0)
			break;
		skip = empty_group(at, n);
		if (skip) {
			n = skip;
			continue;
		}
		if (check_tag(at, n) < 0)
			return -1;
		if (page)
			put_tag(p, at, n, out);
		else
			rm_buf_append(out, at, n);
	}
	return out->failed ? -1 : 0;
}

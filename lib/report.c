#include "report/formats.h"
#include "report/prometheus.h"

#include <string.h>

const char *const rm_ties_names[] = { "half", "wrong", "right", NULL };

static void (*const renderers[])(const struct rm_report *,
				 struct rm_buf *) = {
	rm_report_text, rm_report_json, rm_report_tsv, rm_report_html,
	rm_report_prometheus, rm_report_rewardbench
};

const char *const rm_report_formats[] = {
	"text", "json", "tsv", "html", "prometheus", "rewardbench", NULL
};

int rm_report_render(const struct rm_report *r, const char *format,
		     struct rm_buf *out)
{
	struct rm_buf names = {0};
	size_t i;

	for (i = 0; rm_report_formats[i]; i++)
		if (!strcmp(rm_report_formats[i], format)) {
			renderers[i](r, out);
			return out->failed ? -1 : 0;
		}
	rm_join_names(&names, rm_report_formats);
	rm_fail("unknown format \"%s\" (there are %s)", format,
		names.failed ? "others" : rm_buf_text(&names));
	rm_buf_fini(&names);
	return -1;
}

#!/usr/bin/env bats
# rm-eval's pictures and its page of HTML, also in a browser.
load common

setup() {
	cd "$BATS_TEST_TMPDIR"
	seq 60 | jq -c '. as $i | {id: "\($i)", key: ($i / 2 | floor),
		subset: ["x", "y <b>", "it'\''s `touch owned`"][$i % 3],
		rank: [0, 1], length: [$i * 7 % 50 + 1, $i * 11 % 40 + 1],
		reward: [($i * 37 % 100) / 50, ($i * 53 % 90) / 60]}' |
		rm-view -S > pairs.scores
	cat > train.log <<- END
	{"step": 10, "loss": 0.7}
	{"step": 20, "loss": 0.6}
	{"step": 20, "valid_loss": 0.65, "best": true}
	{"step": 30, "loss": 0.5}
	{"step": 30, "valid_loss": 0.66, "best": false}
	END
}

drawn="length margins reliability rewards subsets training"

# browse PAGE: what a browser makes of it; its console goes to console.
browse() {
	command -v chromium > /dev/null || skip "no chromium"
	chromium --headless --no-sandbox --disable-gpu --disable-extensions \
		--user-data-dir="$PWD/profile" --enable-logging=stderr \
		--virtual-time-budget=5000 --dump-dom "file://$PWD/$1" \
		2> console
}

@test "--plot draws SVG and PNG beside the report, the same each time" {
	rm-eval pairs.scores > alone.txt
	rm-eval --plot p --log train.log pairs.scores > with.txt 2> messages
	diff with.txt <(sed 's/^  rm-eval /&--plot p --log train.log /' \
		alone.txt)
	assert_equal "$(cat messages)" "rm-eval: no picture best_of_n: no record of three or more labelled responses"
	for name in $drawn; do
		grep -q "</svg>" "p/$name.svg"
		[ "$(head -c 4 "p/$name.png" | tail -c 3)" = PNG ]
	done
	assert_equal "$(ls p | wc -l)" 12
	assert [ ! -e owned ]
	rm-eval -q --plot q --log train.log -@ 3 pairs.scores > /dev/null
	diff -r p q
	# A subset that is no longer there has no picture either.
	rm-eval --plot p --by key --metrics auc pairs.scores > /dev/null
	assert [ ! -e p/subsets.svg ]
	assert [ ! -e p/training.png ]
}

@test "no gnuplot: says what it is, and writes nothing" {
	run env PATH=/nonexistent "$RM_BIN/rm-eval" --plot p -o r.txt \
		pairs.scores
	assert_failure 1
	assert_output --partial "pictures need gnuplot, which is not installed"
	run env PATH=/nonexistent "$RM_BIN/rm-eval" --format html -o r.html \
		pairs.scores
	assert_failure 1
	assert_output --partial "rm-eval: --format html (--no-plots: without pictures): "
	assert_output --partial "pictures need gnuplot"
	assert_equal "$(ls)" $'pairs.scores\ntrain.log'
	run env PATH=/nonexistent "$RM_BIN/rm-eval" --format html --no-plots \
		-o r.html pairs.scores
	assert_success
	refute grep -q "<svg" r.html
	grep -q "<bdi>accuracy</bdi>" r.html
}

@test "a gnuplot that fails fails the report" {
	mkdir fake
	printf '#!/bin/sh\necho "no such terminal" >&2\nexit 1\n' > fake/gnuplot
	chmod +x fake/gnuplot
	run env PATH="$PWD/fake:$PATH" rm-eval --plot p -o r.txt pairs.scores
	assert_failure 1
	assert_output "rm-eval: picture rewards: gnuplot failed (status 1): no such terminal"
	assert [ ! -e p ]
	assert [ ! -e r.txt ]
	# One that draws the same whatever it is asked for.
	printf '#!/bin/sh\necho "<svg><desc></desc></svg>"\n' > fake/gnuplot
	run env PATH="$PWD/fake:$PATH" rm-eval --plot p -o r.txt pairs.scores
	assert_failure 1
	assert_output "rm-eval: picture rewards: gnuplot wrote no PNG"
	assert [ ! -e p ]
	printf '#!/bin/sh\necho "<svg><desc></desc><g>"\n' > fake/gnuplot
	run env PATH="$PWD/fake:$PATH" rm-eval --plot p pairs.scores
	assert_failure 1
	assert_output "rm-eval: picture rewards: gnuplot's SVG has no end"
}

@test "what cannot be drawn or written is said" {
	run rm-eval --plot no/where pairs.scores
	assert_failure 1
	assert_output --partial "no/where: No such file or directory"
	run rm-eval --plot pairs.scores pairs.scores
	assert_failure 1
	assert_output --partial "pairs.scores/rewards.svg"
	run rm-eval --plot p --log no.log pairs.scores
	assert_failure 1
	assert_output --partial "no.log: No such file"
	echo '{"loss": 1}' > bad.log
	run rm-eval --plot p --log bad.log pairs.scores
	assert_failure 1
	assert_output --partial "bad.log: line 1: "
	assert [ ! -e p ]
	# No word of --no-plots, which would not help.
	run rm-eval --format html --log bad.log pairs.scores
	assert_failure 1
	assert_output --regexp "^rm-eval: bad.log: line 1: "
	run rm-eval --log train.log pairs.scores
	assert_failure 2
	assert_output --partial "--log is of --plot and --format html"
	run rm-eval --plot p --no-plots pairs.scores
	assert_failure 2
}

@test "--format html is one page with all figures and nothing from elsewhere" {
	rm-eval --format html --log train.log pairs.scores > r.html
	rm-eval --format html --log train.log -@ 1 -o again.html pairs.scores
	diff <(grep -v '<code>rm-eval' r.html) \
		<(grep -v '<code>rm-eval' again.html)
	run grep -ciE '<script|javascript|https?:|//|<link|@import|<img' r.html
	assert_output 0
	for f in $(rm-eval --format json pairs.scores | jq -r '
			keys - ["accuracy_macro"] | .[] |
			select(test("accuracy|brier|ece|longer_wins"))' |
			grep -v _ci); do
		grep -q "<bdi>$f</bdi>" r.html || fail "no $f"
	done
	grep -q '<bdi>y &lt;b&gt;</bdi>' r.html
	assert_equal "$(grep -c '<figure id=' r.html)" 6
	# Ids are one of a kind, what refers to one finds it.
	assert_equal "$(grep -oE "[ ]id=[\"'][^\"']+" r.html | sort | uniq -d)" ""
	for id in $(grep -oE "href=[\"']#[^\"']+" r.html | sort -u |
			sed "s/.*#//"); do
		grep -qE "id=[\"']$id[\"']" r.html || fail "no $id"
	done
	if command -v xmllint > /dev/null; then
		xmllint --noout --nonet r.html
	fi
}

@test "the page has every part that was asked for" {
	rm-view pairs.scores | jq -c '.reward |= if .[0] > 1 then reverse
		else map(. * 2) end' | rm-view -S > other.scores
	rm-eval --format html --no-plots --against other.scores \
		--min-detectable --baseline other.scores pairs.scores > r.html
	for id in pairs order calibration bias parts against detectable drift \
		history; do
		grep -q "<section id=\"$id\">" r.html || fail "no $id"
	done
	for row in mcnemar psi shift_sd paired "0.500-0.600"; do
		grep -qi "$row" r.html || fail "no $row"
	done
}

@test "in a browser: all pictures are there, drawn, and nothing complains" {
	# With probabilities, so that there are both curves of reliability.
	rm-view pairs.scores | jq -c '.prob = 1 /
		(1 + ((.reward[1] - .reward[0]) / 2 | exp))' | rm-view -S |
		rm-eval --format html --log train.log -o r.html
	browse r.html > dom
	assert_equal "$(grep -c '<figure id="picture-' dom)" 6
	refute grep -E 'CONSOLE|Refused|ERR_' console
	# The same page with a script of this test, which measures it.
	sed -e '/Content-Security-Policy/,/>/d' -e '/^<\/body>/i\
<script>\
const seen = {};\
for (const f of document.querySelectorAll("figure")) {\
	const s = f.querySelector("svg"), r = s.getBoundingClientRect();\
	seen[f.id.slice(8)] = {width: r.width, height: r.height,\
		marks: s.querySelectorAll("use[transform]").length,\
		paths: s.querySelectorAll("path, polygon").length,\
		caption: f.querySelector("figcaption").innerText.length,\
		label: s.ariaLabelledByElements?.map(e => e.textContent).join()\
			?? document.getElementById(s.getAttribute(\
			"aria-labelledby").split(" ")[0]).textContent,\
		outside: [...s.querySelectorAll("text")].filter(t => {\
			const b = t.getBoundingClientRect();\
			return b.left < r.left - 1 || b.right > r.right + 1 ||\
				b.top < r.top - 1 || b.bottom > r.bottom + 1;\
		}).map(t => t.textContent),\
		overlaps: [...s.querySelectorAll("text")].flatMap((t, i, all) => {\
			const a = t.getBoundingClientRect();\
			return all.slice(i + 1).filter(u => {\
				const b = u.getBoundingClientRect();\
				return a.left < b.right - 1 && b.left < a.right - 1 &&\
					a.top < b.bottom - 3 && b.top < a.bottom - 3;\
			}).map(u => t.textContent + " / " + u.textContent);\
		})};\
}\
const pre = document.createElement("pre");\
pre.textContent = JSON.stringify({seen,\
	title: document.title, mode: document.compatMode,\
	tables: document.querySelectorAll("table").length,\
	wide: document.documentElement.scrollWidth - innerWidth,\
	fetched: performance.getEntriesByType("resource").length});\
document.body.replaceChildren(pre);\
</script>' r.html > measured.html
	browse measured.html | sed -n 's/.*<pre>\(.*\)<\/pre>.*/\1/p' |
		sed -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&amp;/\&/g' > seen.json
	run jq -r '.title, .mode, .fetched, .wide <= 0, .tables,
		(.seen | keys | join(" "))' seen.json
	assert_output "Report on <stdin>
CSS1Compat
0
true
6
$drawn"
	run jq -c '.seen[] | select(.width < 300 or .height < 80 or
		.paths < 5 or .caption < 20 or (.label | length) < 10 or
		(.outside + .overlaps | length) > 0)' seen.json
	assert_output ""
	# Each response a dot and its entry in the key; ten means, twice, as
	# white rings lie under them.
	run jq '.seen.length.marks >= 120 and .seen.subsets.marks >= 3' seen.json
	assert_output true
}

@test "in a browser: the page is XML as well" {
	rm-eval --format html --log train.log -o r.html pairs.scores
	sed 's/^<html /<html xmlns="http:\/\/www.w3.org\/1999\/xhtml" /' \
		r.html > r.xhtml
	browse r.xhtml > dom
	grep -q '<bdi>accuracy</bdi>' dom
	refute grep -q parsererror dom
	sed 's/<\/main>//' r.xhtml > bad.xhtml
	browse bad.xhtml > dom
	grep -q parsererror dom
}

@test "a page has gaps and attacks, and the picture of accuracy against eps" {
	jq -n -c 'range(40) | {id: "\(.)", key: (. + 1), rank: [0, 1],
		reward: [. % 7, 2], attack: {"0.1": [(. % 7) - 1, 2],
		"0.2": [(. % 7) - 3, 2]}}' | rm-view -S > attacked.scores
	rm-eval --plot p --ood pairs.scores --format html -o a.html \
		attacked.scores
	assert [ -s p/attack.svg ]
	for id in 'picture-attack"' 'id="ood"' 'id="attack"'; do
		grep -q "$id" a.html || fail "no $id"
	done
	run bash -c "rm-eval --format json attacked.scores |
		jq -c '[.attack.rows[] | [.eps, .accuracy, .flip_rate]]'"
	assert_output '[[0,0.625,0],[0.1,0.475,0],[0.2,0.1875,0.3]]'
}

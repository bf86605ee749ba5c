#!/usr/bin/env bats
# What `make install` leaves: tools, pages, completions, a library to build on.
load common

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	cd "$BATS_TEST_DIRNAME/../.."
	mk/install.sh "$ROOT" /usr "$RM_BIN" "${BUILD:-build}/librm.a" 1.2.3
}

@test "every tool, man page and completion is installed" {
	for t in $(all_tools); do
		run "$ROOT/usr/bin/$t" --version
		assert_success
		[ -s "$ROOT/usr/share/man/man1/$t.1" ]
		[ -s "$ROOT/usr/share/bash-completion/completions/$t" ]
	done
	[ -s "$ROOT/usr/share/man/man5/rm-stream.5" ]
	[ -s "$ROOT/usr/share/man/man7/rm.7" ]
}

@test "a completion offers the tool's options" {
	run bash -c ". $ROOT/usr/share/bash-completion/completions/rm-view
		COMP_WORDS=(rm-view --cou); COMP_CWORD=1; _rm_view
		echo \"\${COMPREPLY[@]}\""
	assert_success
	assert_output -- --count
}

@test "a program builds against the installed library" {
	cat > "$BATS_TEST_TMPDIR/p.c" <<-'EOF'
	#include <stdio.h>
	#include <stream.h>
	int main(void)
	{
		struct rm_header h;
		if (rm_header_init(&h) < 0)
			return 1;
		rm_header_fini(&h);
		printf("%s\n", RM_VERSION);
		return 0;
	}
	EOF
	pc=$ROOT/usr/lib/pkgconfig/rm.pc
	libs=$(sed -n 's/^Libs.private: //p' "$pc")
	[ -n "$libs" ]
	# shellcheck disable=SC2086
	run ${CC:-gcc} ${RM_SANITIZE:+-fsanitize=$RM_SANITIZE} \
		-I"$ROOT/usr/include/rm" "$BATS_TEST_TMPDIR/p.c" \
		-L"$ROOT/usr/lib" -lrm $libs -o "$BATS_TEST_TMPDIR/p"
	assert_success
	run "$BATS_TEST_TMPDIR/p"
	assert_success
	assert_output --regexp '^[0-9]+\.[0-9]+\.[0-9]+$'
	grep -q '^Version: 1.2.3$' "$pc"
	grep -q '^prefix=/usr$' "$pc"
}

@test "uninstall leaves no file behind" {
	cp -r "$ROOT" "$BATS_TEST_TMPDIR/root"
	cd "$top"
	mk/install.sh -u "$BATS_TEST_TMPDIR/root" /usr "$RM_BIN" \
		"${BUILD:-build}/librm.a" 1.2.3
	run find "$BATS_TEST_TMPDIR/root" -type f
	assert_output ""
}

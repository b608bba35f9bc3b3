# Where libfuse comes from. POSIX sh, sourced by setup, which provides lib.sh,
# apt_update and $deps_dir.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables shared with setup
#
# Guildfs needs fuse passthrough, hence libfuse 3.17 or later. A system that
# has it uses its own. Debian 12 has 3.14, so there one is built from the
# source package of a later Debian release into a private prefix:
#
#     $GUILDFS_DEPS/libfuse-VERSION/{include,lib,.complete}
#
# Trust: apt checks the later release's signature with the Debian archive
# keyring that is already installed, the source index by the hashes in the
# signed Release file, and the source files by the hashes in that index. All
# of it happens in a private apt directory: the system's sources and package
# lists stay as they are, and nothing unsigned is ever accepted.
#
# The prefix is renamed into place when it is complete, so a reader finds
# either all of it or nothing.

libfuse_minimum=3.17

# Later Debian releases, the one to prefer first. The last of them is a stable
# release with 3.17, which lacks io_uring: it is for when the others have
# changed their keys, or when this machine's mirror has fallen so far behind
# that apt rejects them as expired. A stable release never expires. Whether
# apt minds is for the machine's configuration to say, and is not overruled.
libfuse_releases='forky sid trixie'

libfuse_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Needed to link with the private libfuse; and, beyond these, to build it.
# libfuse leaves io_uring out without a word if libnuma is not there.
libfuse_link_packages='liburing-dev libnuma-dev'
libfuse_build_packages='meson ninja-build dpkg-dev debian-archive-keyring'

# Raise this when the options of the build change: older prefixes are rebuilt.
libfuse_recipe=1

# What a prefix was built by and for. One that was carried to another system
# (a cache of a build service, say) does not match, and is rebuilt.
libfuse_stamp() {
	# shellcheck disable=SC1091 # os-release is not part of this project
	printf 'recipe=%s system=%s arch=%s\n' "$libfuse_recipe" \
		"$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-unknown}")" \
		"$(dpkg --print-architecture)"
}

# The system's own libfuse, whatever the caller's PKG_CONFIG_PATH says.
libfuse_system_version() (
	unset PKG_CONFIG_PATH
	pkg-config --atleast-version="$libfuse_minimum" fuse3 2>/dev/null &&
		pkg-config --modversion fuse3
)

# Print the newest private prefix that is complete; fail if there is none.
libfuse_private_prefix() {
	_stamp=$(libfuse_stamp)
	_newest=$(
		for _prefix in "$deps_dir"/libfuse-*; do
			if [ "$(sed -n 1p "$_prefix/.complete" 2>/dev/null)" = "$_stamp" ]; then
				printf '%s\n' "$_prefix"
			fi
		done | sort -V | tail -n 1
	)
	[ -n "$_newest" ] && printf '%s\n' "$_newest"
}

# Describe a private prefix.
libfuse_describe() {
	printf '%s in %s, %s\n' \
		"$(PKG_CONFIG_PATH=$1/lib/pkgconfig pkg-config --modversion fuse3)" \
		"$1" "$(sed -n 2p "$1/.complete")"
}

# Can apt install a libfuse that is new enough?
libfuse_in_apt() {
	_candidate=$(apt-cache policy libfuse3-dev 2>/dev/null |
		sed -n 's/^ *Candidate: //p')
	case $_candidate in
	'' | '(none)') return 1 ;;
	esac
	dpkg --compare-versions "$_candidate" ge "$libfuse_minimum"
}

# Print the URI of the Debian mirror that this machine uses, from apt's own
# reading of its sources, so that every format of them is understood. The
# release of this machine goes first, then any other of Debian's.
libfuse_mirror() {
	# shellcheck disable=SC1091 # os-release is not part of this project
	_codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # apt substitutes these, not the shell
	apt-get indextargets --format '$(CODENAME) $(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		'Component: main' 2>/dev/null |
		awk -v codename="$_codename" '
			$2 ~ /^cdrom:/ { next }
			$1 == codename && !best { best = $2 }
			!any { any = $2 }
			END { if (best) print best; else if (any) print any; else exit 1 }'
}

# libfuse_apt COMMAND ARGUMENT...: apt, on the private directory alone.
libfuse_apt() {
	_command=$1
	shift
	"$_command" \
		-o Dir::Etc::sourcelist="$libfuse_work/sources.list" \
		-o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$libfuse_work/lists" \
		-o Dir::Cache="$libfuse_work/cache" \
		-o Acquire::AllowInsecureRepositories=false \
		-o Acquire::AllowDowngradeToInsecureRepositories=false \
		-o Acquire::AllowWeakRepositories=false \
		-o APT::Get::AllowUnauthenticated=false \
		-o APT::Update::Error-Mode=any \
		"$@"
}

# libfuse_find RELEASE: set libfuse_source_version to what RELEASE carries;
# fail if it cannot be verified or is too old.
libfuse_find() {
	rm -rf "$libfuse_work/lists" "$libfuse_work/cache"
	mkdir -p "$libfuse_work/lists/partial" "$libfuse_work/cache/archives/partial"
	printf 'deb-src [signed-by=%s] %s %s main\n' \
		"$libfuse_keyring" "$libfuse_mirror_uri" "$1" \
		>"$libfuse_work/sources.list"
	if ! quietly "$libfuse_work/log" libfuse_apt apt-get update; then
		if grep -q 'is expired' "$libfuse_work/log"; then
			note "apt rejects $1 as expired: is the clock right, and the mirror up to date?"
		else
			note "$1 is unreachable, or its signature is not good"
		fi
		return 1
	fi
	libfuse_source_version=$(libfuse_apt apt-cache showsrc --only-source fuse3 |
		sed -n 's/^Version: //p' | sort -V | tail -n 1)
	if [ -z "$libfuse_source_version" ] ||
		dpkg --compare-versions "$libfuse_source_version" lt "$libfuse_minimum"; then
		note "$1 has no libfuse $libfuse_minimum or later"
		return 1
	fi
	note "$1 has fuse3 $libfuse_source_version, and its signature is good"
}

libfuse_download() (
	cd "$libfuse_work/source" &&
		libfuse_apt apt-get source --download-only "fuse3=$libfuse_source_version"
)

# Debian's hardening flags, and those that this project adds for itself. The
# linker drops CET from a program if one object in it was built without.
libfuse_build_flags() {
	_cflags=-fstack-clash-protection
	case $(dpkg --print-architecture) in
	amd64) _cflags="$_cflags -fcf-protection" ;;
	esac
	DEB_BUILD_MAINT_OPTIONS=hardening=+all \
		DEB_CFLAGS_MAINT_APPEND=$_cflags \
		DEB_CPPFLAGS_MAINT_APPEND='-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3' \
		dpkg-buildflags --export=sh
}

# libfuse_compile PREFIX MESON_OPTION...: build and install below stage/.
# --bindir is where libfuse looks for fusermount3: the system's, which alone
# is set-user-id; nothing of ours is installed there.
libfuse_compile() (
	_prefix=$1
	shift
	cd "$libfuse_work" || exit
	rm -rf build stage
	_flags=$(libfuse_build_flags) || exit
	eval "$_flags"
	meson setup build tree --prefix="$_prefix" --libdir=lib \
		--bindir=/usr/bin --sysconfdir=/etc --buildtype=plain \
		--wrap-mode=nodownload -Ddefault_library=both \
		-Dexamples=false -Dtests=false -Dutils=false "$@" &&
		ninja -C build &&
		DESTDIR=$libfuse_work/stage meson install -C build --no-rebuild
)

# libfuse_try PREFIX: does a program build with what is in stage/, and run?
libfuse_try() (
	cd "$libfuse_work" || exit
	cat >try.c <<-'END'
		#define FUSE_USE_VERSION 317
		#include <fuse_lowlevel.h>
		#include <stdio.h>
		int main(void) { return puts(fuse_pkgversion()) < 0; }
	END
	export PKG_CONFIG_PATH="stage$1/lib/pkgconfig"
	_private=$(pkg-config --static --libs-only-l fuse3 | sed 's/-lfuse3//') || exit
	# shellcheck disable=SC2086 # a list of options
	"${CC:-cc}" -o try -I"stage$1/include/fuse3" try.c \
		"stage$1/lib/libfuse3.a" $_private &&
		[ "$(./try)" = "$(pkg-config --modversion fuse3)" ]
)

# Build a private libfuse. The caller holds the lock on the directory.
libfuse_build() {
	libfuse_work=$deps_dir/.build
	# A build that was killed left this behind; nobody else is in there.
	rm -rf "$libfuse_work"
	mkdir "$libfuse_work" "$libfuse_work/source"
	trap 'rm -rf "$libfuse_work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# apt drops to a user of its own to download, where there is one.
	chown _apt "$libfuse_work/source" 2>/dev/null || :

	step 'libfuse: find the source package of a later Debian release'
	if ! libfuse_mirror_uri=$(libfuse_mirror); then
		# The package lists were deleted, as container images do.
		note 'the package lists are empty: apt-get update'
		apt_update
		libfuse_mirror_uri=$(libfuse_mirror) ||
			die "the apt sources name no reachable Debian mirror with the component 'main'; add one (or check the network) and run this again"
	fi
	_found=false
	for _release in $libfuse_releases; do
		if libfuse_find "$_release"; then
			_found=true
			break
		fi
	done
	$_found ||
		die "no verified source of libfuse $libfuse_minimum or later on this machine's Debian mirror; check the network, or put a libfuse3 of your own where pkg-config finds it"

	step "libfuse: download and verify the source package $libfuse_source_version"
	quietly "$libfuse_work/log" libfuse_download ||
		die 'apt could not download the source package of fuse3; check the network and run this again'
	# apt has checked the files: do not ask for the uploader's key as well.
	quietly "$libfuse_work/log" dpkg-source --no-check \
		-x "$libfuse_work"/source/fuse3_*.dsc "$libfuse_work/tree" ||
		die 'dpkg-source could not unpack the source package of fuse3'

	_version=${libfuse_source_version#*:}
	_version=${_version%-*}
	_prefix=$deps_dir/libfuse-$_version

	step "libfuse: build $_version into $_prefix"
	_io_uring='without io_uring'
	if ! grep -q enable-io-uring "$libfuse_work/tree/meson_options.txt"; then
		warn "libfuse $_version does not support io_uring yet"
		quietly "$libfuse_work/log" libfuse_compile "$_prefix" ||
			die 'libfuse does not build; its messages are above'
	elif quietly "$libfuse_work/log" libfuse_compile "$_prefix" -Denable-io-uring=true &&
		grep -q '^#define HAVE_URING' "$libfuse_work/build/fuse_config.h"; then
		_io_uring='with io_uring'
	else
		warn 'libfuse cannot be built with io_uring here: building it without'
		quietly "$libfuse_work/log" libfuse_compile "$_prefix" -Denable-io-uring=false ||
			die 'libfuse does not build; its messages are above'
	fi
	quietly "$libfuse_work/log" libfuse_try "$_prefix" ||
		die 'a program does not build and run with the new libfuse; its messages are above'

	{
		libfuse_stamp
		printf '%s\n' "$_io_uring"
	} >"$libfuse_work/stage$_prefix/.complete"
	rm -rf "$_prefix"
	mv "$libfuse_work/stage$_prefix" "$_prefix"
	rm -rf "$libfuse_work"
	trap - EXIT HUP INT TERM
}

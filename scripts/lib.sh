# Functions shared by the scripts in this directory. To be sourced, POSIX sh.
# shellcheck shell=sh

# The name that messages begin with.
script_name=${0##*/}

# step TEXT: say what is about to be done.
step() {
	printf '==> %s\n' "$*"
}

# note TEXT: a detail of the current step.
note() {
	printf '    %s\n' "$*"
}

# warn TEXT: something is not as it should be, but the work goes on.
warn() {
	printf '%s: warning: %s\n' "$script_name" "$*" >&2
}

# die TEXT: say in one line what is wrong and what to do, and give up.
die() {
	printf '%s: error: %s\n' "$script_name" "$*" >&2
	exit 1
}

# usage_error TEXT: the command line is wrong.
usage_error() {
	printf '%s: error: %s (try --help)\n' "$script_name" "$*" >&2
	exit 2
}

# print_help FILE: the comment at the head of a script is its help text:
# everything after the #! line up to the first line that is no comment.
print_help() {
	sed -n -e '1d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$1"
}

# quietly LOG COMMAND...: run it with its output in LOG, and show the end of
# the log only if it fails. Descriptor 9 is the setup lock: a service that a
# package starts must not inherit it.
quietly() {
	_log=$1
	shift
	if "$@" >"$_log" 2>&1 </dev/null 9>&-; then
		return 0
	else
		_status=$?
	fi
	tail -n 20 "$_log" | sed 's/^/    | /' >&2
	return "$_status"
}

# packages_missing PACKAGE...: print those that are not installed.
packages_missing() {
	_installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
		2>/dev/null | sed -n 's/^installed //p') || :
	for _package in "$@"; do
		case "
$_installed
" in
		*"
$_package
"*) ;;
		*) printf '%s\n' "$_package" ;;
		esac
	done
}

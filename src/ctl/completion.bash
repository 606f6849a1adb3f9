# SPDX-License-Identifier: GPL-2.0
# bash completion for ballastctl(8)            -*- shell-script -*-

# Names below /sys that have a ballast directory.
_ballastctl_names() {
	local path
	for path in "$@"; do
		[[ -e $path/ballast ]] && printf '%s\n' "${path##*/}"
	done
}

_ballastctl_interfaces() {
	local path
	for path in /sys/class/net/*; do
		[[ ${path##*/} == lo ]] || printf '%s\n' "${path##*/}"
	done
}

_ballastctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local words='' command=${COMP_WORDS[1]-}
	local IFS=$' \t\n'

	COMPREPLY=()
	# "=" is a word break: the option stands before it.
	[[ $cur == = ]] && prev='=' cur=''
	if [[ $prev == = ]]; then
		case ${COMP_WORDS[COMP_CWORD-1]}${COMP_WORDS[COMP_CWORD-2]-} in
		*filter* | *verify*) words='on off' ;;
		*reserve*) words='auto' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	if ((COMP_CWORD == 1)); then
		words='attach detach move guard list status top events metrics doctor report tune --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $command in
	attach)
		if ((COMP_CWORD == 2)); then
			words='nbd:// --help'
		elif [[ $prev != --priority ]]; then
			words='--swap --encrypt --discard --take --json --persist --priority
				index= connections= queue_depth= timeout= deadline= fence= connect_timeout=
				readonly reserve= filter= verify= allow='
		fi ;;
	move)
		if ((COMP_CWORD == 2)); then
			words="--help $(_ballastctl_names /sys/block/ballast*)"
		elif ((COMP_CWORD == 3)); then
			words='nbd://'
		fi ;;
	guard)
		if ((COMP_CWORD == 2)); then
			words="status --help $(_ballastctl_interfaces)"
		else
			words='allow= reserve= off status --persist'
		fi ;;
	detach)
		words="--force --swapoff --help $(_ballastctl_names /sys/block/ballast*)" ;;
	status)
		words="--json --help $(_ballastctl_names /sys/block/ballast* /sys/class/net/*)" ;;
	top)
		[[ $prev == -[dn] ]] || words='-d -n --once --json --help' ;;
	events)
		[[ $prev == -n ]] ||
			words="-n --json --help $(_ballastctl_names /sys/block/ballast* /sys/class/net/*)" ;;
	doctor)
		[[ $prev == --seconds ]] || words='--seconds --json --help' ;;
	report)
		mapfile -t COMPREPLY < <(compgen -W '--help' -f -- "$cur")
		return ;;
	tune)
		if ((COMP_CWORD == 2)); then
			words='min-free-kbytes --help'
		else
			words='auto --persist'
		fi ;;
	list)
		words='--json --help' ;;
	metrics)
		words='--help' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/] ]]; then
		compopt -o nospace 2>/dev/null
	fi
}

complete -F _ballastctl ballastctl

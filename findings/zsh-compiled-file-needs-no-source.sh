#!/bin/bash
# zsh runs a compiled start file where the start file itself does not exist.
#
# One would guess from zsh(1): a compiled form is taken in place of a start file that is older, so there has to be such a file.
# What happens: with no ~/.zshenv at all ~/.zshenv.zwc is run, by `zsh -c` too, that is by each `ssh host command`; and so for
# .zprofile, .zshrc, .zlogin and .zlogout.
# Bitten: lists of start files, those of backup, of dotfile managers and of what must not be written, which name the five files
# and not their compiled forms. Who deletes ~/.zshenv to be rid of it still runs it.
# Seen with: zsh 5.9-4+b15.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
unpack() {
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "apt-get could not download $*"
    for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/unpacked"; done
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

unpack zsh=5.9-4+b15

# -d leaves the start files in /etc alone; a login shell reads four and, at its end, the fifth.
zsh() { env -i HOME="$dir/home" PATH=/usr/bin:/bin TERM=dumb timeout 20 "$dir/unpacked/bin/zsh" "$@"; }
mkdir "$dir/home"
for name in zshenv zprofile zshrc zlogin zlogout; do
    echo "echo $name" >"$dir/home/.$name"
    zsh -f -c "zcompile ~/.$name"
    rm "$dir/home/.$name"
done

seen=$(zsh -d -c 'echo command' | paste -sd,)
[ "$seen" = zshenv,command ] || fail "of -c: $seen"
seen=$(zsh -d -l -i -c exit | paste -sd,)
[ "$seen" = zshenv,zprofile,zshrc,zlogin,zlogout ] || fail "of an interactive login shell: $seen"
echo "$(basename "$0" .sh): as recorded"

# What packaging/try, tests/run and .ci/run share: a Rust toolchain and Debian packages, installed only where they are missing.
# Sourced by bash, never run.

# The oldest Rust that builds this crate: rust-version in Cargo.toml.
RUST_NEEDED=1.85

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$(basename "$0"): $*"
    exit 1
}

# sbin is not on an ordinary user's PATH on Debian, and sshd lives there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# What apt and dpkg have to say when all goes well is long and of no use here; their complaints go to stderr.
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" </dev/null >/dev/null; }

# The package lists are fetched once a run, and only if something has to be installed.
apt_lists() {
    [ -z "${apt_lists_fresh:-}" ] || return 0
    apt_get update || fail "apt-get update failed: is this machine online?"
    apt_lists_fresh=1
}

may_install() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

install_packages() {
    command -v apt-get >/dev/null || fail "missing: $*. This machine has no apt-get: install them by hand."
    may_install || fail "missing: $*. As root: apt-get install $*"
    say "Installing by apt: $*"
    apt_lists
    # --no-remove: nothing that somebody installed on purpose is taken away for this.
    apt_get install --no-install-recommends --no-remove "$@" || fail "apt-get could not install: $*"
}

# Each argument is PACKAGE=WHAT: the package is installed unless WHAT, a command or an absolute path, is there.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        case ${pair#*=} in
            /*) [ -e "${pair#*=}" ] ;;
            *) command -v "${pair#*=}" >/dev/null ;;
        esac || missing+=("${pair%%=*}")
    done
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# The user _apt, as whom root would download, may write to no folder of ours.
apt_download() { (cd "$2" && apt-get -qq -o APT::Sandbox::User=root download "$1" >/dev/null); }

# The file called $2 of the package $1, alone, in the folder $3: for what must not be installed on a machine that only runs tests.
need_file_of() {
    local package=$1 file=$2 folder=$3 unpacked
    [ ! -e "$folder/$file" ] || return 0
    command -v apt-get >/dev/null || fail "missing: $folder/$file of the package $package. This machine has no apt-get: put it there by hand."
    say "Fetching by apt: $file of $package"
    rm -rf "$folder" && mkdir -p "$folder" || fail "cannot make $folder"
    # Lists that are old name a version that is gone.
    apt_download "$package" "$folder" 2>/dev/null || {
        apt_lists
        apt_download "$package" "$folder" || fail "apt-get could not download $package"
    }
    dpkg -x "$folder/$package"_*.deb "$folder/unpacked" || fail "cannot unpack $package"
    unpacked=$(find "$folder/unpacked" -name "$file" -type f)
    [ -n "$unpacked" ] || fail "there is no $file in $package"
    mv "$unpacked" "$folder/$file" && rm -rf "$folder/unpacked" "$folder/$package"_*.deb
}

# The address of a Debian mirror: that of this machine's own sources, or the one that all use.
debian_mirror() {
    local uri mirror=
    # Security updates come from elsewhere, and other archives have no sid.
    while read -r uri; do
        case $uri in
            */debian | */debian/) mirror=${mirror:-${uri%/}} ;;
        esac
    done < <(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null)
    printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
}

# What the newest OpenSSH has to be at least: sid's moves, and what is there is taken.
NEWEST_OPENSSH=10.4

# apt-get with sid's lists alone, in the folder $1, and no package installed: what it fetches then is everything that a package needs.
# A mirror that stands still is no fault here; its signature is verified all the same.
sid_apt() {
    local folder=$1
    shift
    apt-get -qq -y -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$folder" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o APT::Update::Error-Mode=any -o Acquire::Check-Valid-Until=false \
        -o Acquire::Retries=3 "$@" </dev/null >/dev/null
}

# The newest OpenSSH, Debian sid's, in the folder $1: `sftp-server`, `sftp`, `scp` and `ssh` there are scripts that start sid's programs by
# sid's loader with sid's libraries, wherever the folder is copied to; `version` holds what ssh calls itself. Neither packages nor lists of
# this machine change. Where it cannot be had: words that say why, and status 1.
need_newest_openssh() { [ -e "$1/version" ] || (fetch_newest_openssh "$1"); }

# In a subshell, for fail and trap.
fetch_newest_openssh() {
    local folder=$1 what="missing: $1, the newest OpenSSH" mirror work program path words loader libraries needed version
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    command -v apt-get >/dev/null || fail "$what. This machine has no apt-get."
    [ -e "$keys" ] || fail "$what. Without $keys nothing verifies Debian sid."
    mirror=$(debian_mirror)
    mkdir -p "$folder.new" && work=$(cd "$folder.new" && pwd) || fail "$what: cannot make $folder.new"
    trap 'rm -rf "$work"' EXIT
    rm -rf "${work:?}"/* "$folder" && mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/lib" || fail "$what: cannot make $work"
    : >"$work/status"
    printf 'deb [signed-by=%s target=Packages lang=none] %s sid main\n' "$keys" "$mirror" >"$work/sources.list"
    say "Fetching by apt: the newest OpenSSH, of sid at $mirror"
    sid_apt "$work" update || fail "$what. The lists of sid could not be fetched and verified."
    sid_apt "$work" install --download-only openssh-sftp-server openssh-client || fail "$what. The packages could not be fetched."
    for program in "$work"/cache/archives/*.deb; do
        dpkg -x "$program" "$work/root" || fail "$what: cannot unpack $program"
    done
    loader=$(find "$work"/root/usr/lib* -name 'ld-linux*.so.*' -type f | head -n 1)
    libraries=$(find "$work"/root/usr/lib* -name libc.so.6 -printf '%h\n' | head -n 1)
    cp -p "$loader" "$work/lib/" || fail "$what: there is no loader in its packages"
    # The ssh of sftp and scp is the one beside them, unless a later -S says otherwise.
    while read -r program path words; do
        mapfile -t needed < <("$loader" --library-path "$libraries" --list "$work/root/$path" | sed -n "s|^.* => \($libraries/lib.*\) (0x.*|\1|p")
        cp -p "$work/root/$path" "${needed[@]}" "$work/lib/" || fail "$what: cannot take $program out of its packages"
        printf '#!/bin/sh\nhere=${0%%/*}\nexec "$here/lib/%s" --library-path "$here/lib" "$here/lib/%s"%s "$@"\n' \
            "$(basename "$loader")" "$program" "${words:+ $words}" >"$work/$program"
        chmod 755 "$work/$program"
    done <<'END'
sftp-server usr/lib/openssh/sftp-server
ssh usr/bin/ssh
sftp usr/bin/sftp -S "$here/ssh"
scp usr/bin/scp -S "$here/ssh"
END
    version=$("$work/ssh" -V 2>&1) || fail "$what. Its programs do not run here: $version"
    version=${version#OpenSSH_} version=${version%%[ ,]*}
    at_least "${version%%p*}" "$NEWEST_OPENSSH" || fail "$what. sid has $version; at least $NEWEST_OPENSSH is wanted."
    (cd "$work" && rm -rf root lists cache auxfiles status sources.list lock*)
    # Last, since it says that the rest is whole.
    printf '%s\n' "$version" >"$work/version"
    mv "$work" "$folder" || fail "$what: cannot make it of $work"
    trap - EXIT
}

# Whether version $1 is at least $2, as `1.85.1` is at least `1.85`.
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

rust_is_recent() {
    local tool version
    for tool in cargo rustc; do
        # In /, so that no rust-toolchain file of a directory above has a say.
        version=$(cd / && "$tool" --version 2>/dev/null) || return 1
        version=${version#* }
        at_least "${version%%[ -]*}" "$RUST_NEEDED" || return 1
    done
}

# A cargo and a rustc of at least RUST_NEEDED on PATH: those that are there, rustup's in the home directory, or Debian's.
# Debian 13 has them as `cargo`; Debian 12's `cargo` is too old, but its `cargo-web` follows the browsers and is recent.
need_rust() {
    local package candidate
    rust_is_recent && return
    if [ -x "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin/cargo" ]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
        rust_is_recent && return
        fail "the Rust in ${CARGO_HOME:-$HOME/.cargo} is older than $RUST_NEEDED: rustup update"
    fi
    if command -v apt-get >/dev/null && may_install; then apt_lists; fi
    for package in cargo cargo-web; do
        candidate=$(LC_ALL=C apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: //p')
        case $candidate in '' | '(none)') continue ;; esac
        at_least "${candidate%%[+~-]*}" "$RUST_NEEDED" || continue
        # The certificates are for crates.io, the compiler is rustc's linker.
        install_packages "$package" "rustc${package#cargo}" gcc libc6-dev ca-certificates
        hash -r
        rust_is_recent && return
    done
    fail "no Rust of at least $RUST_NEEDED here, nor among this machine's packages: see https://rustup.rs"
}

# rustfmt and clippy of the toolchain in use.
need_rust_checks() {
    (cargo fmt --version && cargo clippy --version) >/dev/null 2>&1 && return
    if command -v rustup >/dev/null; then
        rustup component add rustfmt clippy
    elif dpkg-query -W rustc-web >/dev/null 2>&1; then
        install_packages rustfmt-web rust-web-clippy
    else
        install_packages rustfmt rust-clippy
    fi
}

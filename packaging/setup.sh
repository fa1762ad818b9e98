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

#!/bin/sh
# setup.sh [build|peers|tools|fuzz]: installs what Roomgate needs on Debian 12 or a near relative; quick when everything is there.
#   build   what compiles it: a C compiler and cmake, and looks for a Rust toolchain
#   peers   that, and the real phones and browsers that `make test` runs it against (the default)
#   fuzz    cargo-fuzz, which `make fuzz` runs
#   tools   cargo-deny, which `make check` asks about licences
# Debian packages go into the system (with sudo when not root); everything else into .setup in the source tree,
# which git ignores, or into $ROOMGATE_SETUP.
set -eu
cd "$(dirname "$0")/.."
setup=${ROOMGATE_SETUP:-$PWD/.setup}

rust=1.95
build="ca-certificates cmake g++ gcc make openssl"
peers="baresip-core baresip-ffmpeg chromium dnsmasq-base espeak-ng fail2ban faketime ffmpeg iproute2 kamailio kamailio-tls-modules python3 python3-venv sip-tester sipsak sipvicious tcpdump"
playwright=1.65.1
smpp=0.5.1
pjsua2=2.15.1.post1
azure=1.1.0
twilio=9.13.0
deny=0.20.2
fuzz=0.13.2

say() { echo "setup: $*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else say "needs root for: $*"; exit 77
    fi
}

debian() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || { say "this is no Debian; please install the like of:$missing"; exit 69; }
    say "installing$missing"
    # A package manager that is busy (unattended upgrades) is waited for.
    as_root apt-get -o DPkg::Lock::Timeout=600 update -qq
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
        install -y -qq --no-install-recommends $missing >/dev/null
}

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

toolchain() {
    PATH="$HOME/.cargo/bin:$PATH"
    if ! command -v cargo >/dev/null; then
        say "Rust $rust or later is needed. Install it from https://rustup.rs, open a new shell, and run this again."
        exit 69
    fi
    have=$(rustc --version | cut -d ' ' -f 2)
    version_at_least "$have" "$rust" || { say "Rust $rust or later is needed, this is $have: run 'rustup update stable'."; exit 69; }
}

node_peers() {
    command -v npm >/dev/null || debian nodejs npm
    [ "$(cat "$setup/node_modules/.wanted" 2>/dev/null)" = "$playwright $smpp" ] && return 0
    say "installing playwright-core $playwright, smpp $smpp"
    mkdir -p "$setup"
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix "$setup" --silent --no-audit --no-fund --no-save "playwright-core@$playwright" "smpp@$smpp" >/dev/null
    echo "$playwright $smpp" > "$setup/node_modules/.wanted"
}

python_peers() {
    wanted="$pjsua2 $azure $twilio"
    [ "$(cat "$setup/venv/.wanted" 2>/dev/null)" = "$wanted" ] && "$setup/venv/bin/python" -c 'import pjsua2' 2>/dev/null && return 0
    say "installing pjsua2-python $pjsua2, azure-communication-sms $azure, twilio $twilio"
    rm -rf "$setup/venv"
    python3 -m venv "$setup/venv"
    "$setup/venv/bin/pip" install --quiet --disable-pip-version-check \
        "pjsua2-python==$pjsua2" "azure-communication-sms==$azure" "twilio==$twilio"
    echo "$wanted" > "$setup/venv/.wanted"
}

tools() {
    PATH="$setup/bin:$PATH"
    [ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $deny" ] && return 0
    say "installing cargo-deny $deny (a minute or two)"
    CARGO_TARGET_DIR="$setup/build" cargo install --quiet --locked --debug --root "$setup" --version "$deny" cargo-deny
    rm -rf "$setup/build"
}

fuzzer() {
    PATH="$setup/bin:$PATH"
    [ "$(cargo fuzz --version 2>/dev/null)" = "cargo-fuzz $fuzz" ] && return 0
    say "installing cargo-fuzz $fuzz (a minute or two)"
    CARGO_TARGET_DIR="$setup/build" cargo install --quiet --locked --debug --root "$setup" --version "$fuzz" cargo-fuzz
    rm -rf "$setup/build"
}

case "${1:-peers}" in
    build)
        # shellcheck disable=SC2086
        debian $build
        toolchain
        ;;
    peers)
        # shellcheck disable=SC2086
        debian $build $peers
        toolchain
        node_peers
        python_peers
        ;;
    tools)
        # shellcheck disable=SC2086
        debian $build
        toolchain
        tools
        ;;
    fuzz)
        # shellcheck disable=SC2086
        debian $build
        toolchain
        fuzzer
        ;;
    *)
        say "what is '$1'? (build, peers, tools or fuzz)"
        exit 64
        ;;
esac

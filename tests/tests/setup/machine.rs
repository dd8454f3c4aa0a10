//! A machine made of fakes: the real setup scripts run on it with an empty cache, and find stand-ins for the programs
//! that fetch, build and install.
//!
//! Each stand-in records its call, and obeys two files: a call that matches `held` waits at the fifo `gate`, a call
//! that matches `broken` fails in the middle of its work, once.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};
use strongroom_tests::process::run;
use strongroom_tests::programs;
use tempfile::TempDir;

/// More than a pipe holds (64 KiB), after the text that a script looks for: a script that stops reading early kills the
/// program.
const TALKS_ON: &str =
    "for ((line = 0; line < 4000; line++)); do echo 'and much more that nobody asked for'; done";

const PRELUDE: &str = r#"#!/bin/bash
world=@world
call="${0##*/} $*"
echo "$call" >>"$world/calls"
if [ -p "$world/gate" ] && [[ $call == $(<"$world/held") ]]; then cat "$world/gate" >/dev/null; fi
breaks=
if [ -e "$world/broken" ] && [[ $call == $(<"$world/broken") ]]; then breaks=1; rm "$world/broken"; fi
"#;

/// `go build -trimpath -o FILE PACKAGE`, and the calls that fetch another Go.
const GO: &str = r#"
case "$1 $2" in
"version "*) echo "go version @go linux/amd64"; @talks_on ;;
"env GOOS") echo linux ;;
"env GOARCH") echo amd64 ;;
"mod download")
    fetched=$GOMODCACHE/toolchain
    mkdir -p "$fetched/bin" "$fetched/pkg/tool/linux"
    cp "$world/newer-go" "$fetched/bin/go"
    echo compiler >"$fetched/pkg/tool/linux/compile"
    chmod -R a-w "$fetched"
    printf '{\n\t"Dir": "%s",\n}\n' "$fetched"
    ;;
"build -trimpath")
    [ -z "$breaks" ] || { echo half >"$4"; exit 1; }
    cp "$world/product" "$4"
    ;;
esac
"#;

/// The result of `go build`, the contents of Debian's package, and an installed program: by its name, etcd or a tool.
const PRODUCT: &str = r#"
name=${0##*/}
if [ "$name" = etcd ]; then echo "etcd Version: @minor.99"; else echo "$name version: @minor.99"; fi
@talks_on
"#;

/// Knows no package before the first `update`, as on a fresh machine.
const APT_GET: &str = r#"
case " $* " in
*" update "*) touch "$world/index" ;;
*" install "*)
    [ -e "$world/index" ] || { echo "E: Unable to locate package"; exit 100; }
    touch "$world/installed"
    ;;
*" download "*)
    [ -e "$world/index" ] || { echo "E: Unable to locate package"; exit 100; }
    touch some.deb
    ;;
esac
"#;

const DPKG_QUERY: &str = r#"[ ! -e "$world/installed" ] || echo -n "install ok installed""#;

const DPKG_DEB: &str = r#"
mkdir -p "$3/usr/bin"
for program in etcd etcdctl promtool; do
    cp "$world/product" "$3/usr/bin/$program"
    [ -z "$breaks" ] || exit 1
done
"#;

/// A Python whose virtual environments contain what the script installs.
const PYTHON: &str = r#"
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    for program in pip aws python; do cp "$0" "$3/bin/$program"; done
fi
[ -z "$breaks" ] || exit 1
"#;

const CARGO: &str = r#"
while [ $# -gt 1 ]; do
    if [ "$1" = --root ]; then root=$2; fi
    if [ "$1" = --version ]; then version=$2; fi
    shift
done
mkdir -p "$root/bin"
[ -z "$breaks" ] || { touch "$root/bin/$1"; exit 1; }
echo "[ \"\$1\" = ${1#cargo-} ] && echo $1 $version" >"$root/bin/$1"
chmod +x "$root/bin/$1"
"#;

const RUSTUP: &str =
    r#"if [ "$2" = list ]; then echo nightly-x86_64-unknown-linux-gnu; @talks_on; fi"#;

const COPY: &str = r#"
[ -z "$breaks" ] || { mkdir -p "$3/bin"; /bin/cp "$2/bin/go" "$3/bin/go"; exit 1; }
exec /bin/cp "$@"
"#;

/// The folder with the stand-ins, their records and the cache.
#[derive(Debug)]
pub(crate) struct Machine {
    world: TempDir,
}

impl Machine {
    /// A machine without our programs and a package index, with an old Go, and an etcd `minor` where one can be
    /// fetched.
    pub(crate) fn bare(minor: &str) -> Self {
        let machine = Self {
            world: tempfile::tempdir().expect("temporary folder"),
        };
        fs::create_dir(machine.path("bin")).expect("new folder");
        let go = pinned_go();
        let fakes = [
            ("bin/go", GO.replace("@go", "go1.19")),
            ("newer-go", GO.replace("@go", &go)),
            ("product", PRODUCT.replace("@minor", minor)),
            ("bin/apt-get", APT_GET.to_owned()),
            ("bin/dpkg-query", DPKG_QUERY.to_owned()),
            ("bin/dpkg-deb", DPKG_DEB.to_owned()),
            ("bin/python3", PYTHON.to_owned()),
            ("bin/cargo", CARGO.to_owned()),
            ("bin/rustup", RUSTUP.to_owned()),
            ("bin/cp", COPY.to_owned()),
            ("bin/etcd", "exit 127".to_owned()),
            ("bin/flock", "exec /usr/bin/flock \"$@\"".to_owned()),
            ("bin/sudo", "exec \"$@\"".to_owned()),
        ];
        for (name, body) in fakes {
            machine.place(name, &body);
        }
        machine
    }

    /// Puts an etcd and its etcdctl into the PATH.
    pub(crate) fn with_etcd_installed(self) -> Self {
        for name in ["bin/etcd", "bin/etcdctl"] {
            fs::copy(self.path("product"), self.path(name)).expect("copied");
        }
        self
    }

    /// Puts the pinned Go into the PATH.
    pub(crate) fn with_newer_go(self) -> Self {
        fs::copy(self.path("newer-go"), self.path("bin/go")).expect("copied");
        self
    }

    /// Fetches the package index beforehand.
    pub(crate) fn with_package_index(self) -> Self {
        fs::write(self.path("index"), "").expect("written");
        self
    }

    /// A run of one of the scripts, with its arguments, on this machine.
    pub(crate) fn setup(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let script = words.next().expect("a script");
        let mut command =
            programs::command(&programs::workspace().join("tests/setup").join(script));
        command
            .args(words)
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("STRONGROOM_CACHE", self.path("cache"));
        command
    }

    /// Runs a script that must succeed at the first try.
    pub(crate) fn succeeds(&self, line: &str) {
        run(&mut self.setup(line)).ok();
    }

    /// Runs a script that fails in the call that matches `pattern`.
    pub(crate) fn breaks_off(&self, line: &str, pattern: &str) {
        fs::write(self.path("broken"), pattern).expect("written");
        let finished = run(&mut self.setup(line));
        assert!(
            !self.path("broken").exists(),
            "{line} never came to {pattern}: {:?}",
            self.calls("")
        );
        assert_ne!(finished.code, Some(0), "{line}, broken at {pattern}");
    }

    /// Calls that match `pattern` wait until [`Machine::let_go`].
    pub(crate) fn hold(&self, pattern: &str) {
        fs::write(self.path("held"), pattern).expect("written");
        let mode = Mode::from_raw_mode(0o600);
        mkfifoat(CWD, self.path("gate"), mode).expect("fifo");
    }

    /// Releases the held calls; later calls are not held.
    pub(crate) fn let_go(&self) {
        // Opening waits for a reader, and there is at least one.
        let gate = File::options().write(true).open(self.path("gate"));
        fs::remove_file(self.path("gate")).expect("removed");
        drop(gate.expect("fifo opens"));
    }

    /// The calls of stand-ins whose line begins with `start`.
    pub(crate) fn calls(&self, start: &str) -> Vec<String> {
        let all = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let matching = all.lines().filter(|call| call.starts_with(start));
        matching.map(str::to_owned).collect()
    }

    /// A file or folder of the cache.
    pub(crate) fn cached(&self, name: &str) -> PathBuf {
        self.path("cache").join(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path().join(name)
    }

    fn place(&self, name: &str, body: &str) {
        let world = self.world.path().display().to_string();
        let text = format!("{PRELUDE}{body}\n")
            .replace("@world", &world)
            .replace("@talks_on", TALKS_ON);
        fs::write(self.path(name), text).expect("written");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).expect("chmod");
    }
}

/// The Go that the scripts ask for.
pub(crate) fn pinned_go() -> String {
    let script = programs::workspace().join("tests/setup/go.sh");
    let text = fs::read_to_string(script).expect("readable");
    let version = text.lines().find_map(|line| line.strip_prefix("version="));
    version.expect("go.sh pins a version").to_owned()
}

/// Whether a file is a complete stand-in.
pub(crate) fn whole(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.starts_with("#!/bin/bash"))
}

//! A real PostgreSQL server of a test's own, in a temporary folder, reached by a socket only.

use crate::text;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A running server. Stopped with the value.
#[derive(Debug)]
pub struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

/// Where distributions put the programs of the server.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    found.extend(["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    found.retain(|folder| folder.join("initdb").exists());
    found.sort();
    found.pop()
}

impl Postgres {
    /// Start one. `admin` signs in freely, everybody else by password (scram-sha-256). `None`, said loudly, only where
    /// PostgreSQL is not installed and can't be by this user.
    ///
    /// # Panics
    /// It does not start; or it is not there although this user could install it.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                !rustix::process::geteuid().is_root(),
                "PostgreSQL is not installed: `cargo xtask test` installs it"
            );
            println!("!!!! LEFT OUT: PostgreSQL is not installed, and can't be by this user");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("rescind-pg-")
            .tempdir_in("/tmp")
            .expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let server = Self { folder, programs };
        let data = server.data();
        let data = data.to_str().expect("text");
        server.own(
            "initdb",
            &[
                "-D",
                data,
                "-U",
                "admin",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
        );
        let access = "local all admin trust\nlocal all all scram-sha-256\n";
        let hba = server.folder.path().join("hba.conf");
        fs::write(&hba, access).expect("pg_hba.conf");
        fs::set_permissions(&hba, fs::Permissions::from_mode(0o644)).expect("chmod");
        server.up();
        server.sql("CREATE ROLE app NOLOGIN; CREATE TABLE kept (n int); GRANT ALL ON kept TO app; GRANT CREATE ON SCHEMA public TO app");
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How to connect, without a user.
    pub fn server(&self) -> String {
        format!("host={} dbname=postgres", self.folder.path().display())
    }

    /// Start it, or start it again.
    pub fn up(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c hba_file={folder}/hba.conf"
        );
        let data = self.data();
        let data = data.to_str().expect("text");
        let log = self.folder.path().join("log");
        self.own(
            "pg_ctl",
            &[
                "-D",
                data,
                "-w",
                "-l",
                log.to_str().expect("text"),
                "-o",
                &options,
                "start",
            ],
        );
    }

    /// Stop it.
    pub fn down(&self) {
        let data = self.data();
        self.own(
            "pg_ctl",
            &[
                "-D",
                data.to_str().expect("text"),
                "-w",
                "-m",
                "immediate",
                "stop",
            ],
        );
    }

    /// What SQL says, as its administrator.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.psql("admin", None, sql);
        assert!(output.status.success(), "{sql}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    /// The same as somebody, who may be refused.
    pub fn psql(&self, user: &str, password: Option<&str>, sql: &str) -> Output {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-A", "-t", "-w", "-d", &self.server(), "-c", sql])
            .env("PGUSER", user)
            .env_remove("PGPASSWORD");
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        command.output().expect("psql")
    }

    /// Run one of its programs; the server does not run as root.
    fn own(&self, program: &str, arguments: &[&str]) {
        let path = self.programs.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        // The server keeps what it is started with open: pipes would never end.
        let said = self.folder.path().join(format!("{program}.said"));
        let file = fs::File::create(&said).expect("a file");
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .status();
        let well = status
            .unwrap_or_else(|error| panic!("{program}: {error}"))
            .success();
        assert!(
            well,
            "{program}: {}",
            fs::read_to_string(&said).unwrap_or_default()
        );
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        let mut stop = Command::new(self.programs.join("pg_ctl"));
        if rustix::process::geteuid().is_root() {
            stop = Command::new("setpriv");
            stop.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
                .arg(self.programs.join("pg_ctl"));
        }
        let _down_already = stop
            .arg("-D")
            .arg(data)
            .args(["-m", "immediate", "stop"])
            .output();
    }
}

//! How long pages and the API take over a large record: a million actions and ten thousand open holds, asked for as browsers and
//! programs do, through the server.

use crate::Failure;
use crate::part::{self, cargo};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is filled: sessions of so many actions each.
const FILLED: [(&str, &str); 2] = [("1000", "900"), ("1", "100000")];
const HOLDS: &str = "10000";
/// How long a page may take, by the aim.
const AIM: Duration = Duration::from_millis(200);
/// What takes long is not asked for so often.
const FEWEST: usize = 10;
const LONGEST: Duration = Duration::from_secs(20);
/// How long the server may take to read the record for the first time.
const READS: Duration = Duration::from_secs(1_800);

/// Where to look; `{large}` is the session of a hundred thousand actions, `{action}` one of its last actions.
const PLACES: [&str; 32] = [
    "/",
    "/parts/tiles",
    "/parts/holds",
    "/parts/feed",
    "/holds",
    "/holds?text=ns-77",
    "/sessions",
    "/sessions?text=person7+payments",
    "/sessions?state=running",
    "/actions",
    "/actions?agent=codex",
    "/actions?domain=payments",
    "/actions?class=irreversible",
    "/actions?verdict=deny",
    "/actions?failures=true",
    "/actions?text=ticket-4711",
    "/actions?text=kubectl",
    "/actions?text=git+module299",
    "/actions?agent=codex&class=irreversible&failures=true",
    "/sessions/{large}",
    "/sessions/{large}/changes",
    "/actions/{action}",
    "/people",
    "/me",
    "/stop",
    "/record",
    "/api/v1/sessions?limit=100",
    "/api/v1/sessions/{large}",
    "/api/v1/sessions/{large}/timeline",
    "/api/v1/actions?limit=100&domain=shop",
    "/api/v1/holds?limit=100",
    "/metrics",
];

struct Serving {
    server: Child,
    filler: Child,
    host: String,
    cookie: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.filler] {
            let _gone = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Fill, serve, ask for each place so many times.
///
/// # Errors
/// Something can't be made or run, or a page is no page. That one takes too long is printed.
pub fn run(binary: &Path, rounds: usize) -> Result<(), Failure> {
    println!("\npages: a million actions and {HOLDS} open holds, through the server");
    let folder = tempfile::tempdir()?;
    let serving = Serving::start(binary, folder.path())?;
    let large = serving.json("/api/v1/actions?limit=1")?;
    let first = large.pointer("/items/0");
    let text = |name: &str| first.and_then(|row| row.get(name)).and_then(Value::as_str);
    let (Some(session), Some(action)) = (text("session"), text("action")) else {
        return Err(format!("no action is listed: {large}").into());
    };
    let mut late = 0;
    for place in PLACES {
        let place = place.replace("{large}", session).replace("{action}", action);
        let mut times = Vec::with_capacity(rounds);
        let mut bytes = 0;
        let asked = Instant::now();
        // The first one may read what the others find in memory.
        for round in 0..=rounds {
            if round > FEWEST && asked.elapsed() > LONGEST {
                break;
            }
            let begun = Instant::now();
            let (status, body) = serving.get(&place)?;
            if status != 200 {
                return Err(format!("{place} answers {status}: {body}").into());
            }
            bytes = body.len();
            if round > 0 {
                times.push(begun.elapsed());
            }
        }
        times.sort();
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).max(1) - 1);
        let [p50, p99, most] = [50, 99, 100].map(|percent| at(percent).copied().unwrap_or_default());
        late += usize::from(p99 > AIM);
        println!(
            "{:<60} {:>4} times  p50 {:>7.1} ms  p99 {:>7.1} ms  most {:>7.1} ms  {} KiB{}",
            place.replace(session, "LARGE"),
            times.len(),
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
            most.as_secs_f64() * 1e3,
            bytes >> 10,
            if p99 > AIM { "  OVER 200 ms" } else { "" }
        );
    }
    println!(
        "{} of {} within 200 ms p99; the server's memory: {}",
        PLACES.len() - late,
        PLACES.len(),
        serving.memory()
    );
    Ok(())
}

impl Serving {
    fn start(binary: &Path, folder: &Path) -> Result<Self, Failure> {
        let example = [
            "build",
            "--release",
            "--quiet",
            "--package",
            "rescind-index",
            "--example",
            "fill",
        ];
        part::run("what fills", &mut cargo(&example))?;
        let (home, settings) = (folder.join("home"), folder.join("settings/rescind"));
        fs::create_dir_all(&settings)?;
        let limits = "[limits]\nrequests_per_minute = 1000000\n\n[log]\nlevel = \"warn\"\n";
        fs::write(settings.join("server.toml"), limits)?;
        let [many, large] = FILLED;
        let fill = |words: &[&str]| {
            let mut command = Command::new(part::target().join("release/examples/fill"));
            command.arg(&home).args(words).stderr(Stdio::null());
            command
        };
        let begun = Instant::now();
        part::run("fill", &mut fill(&[many.0, many.1]))?;
        let mut filling = fill(&[large.0, large.1, HOLDS]);
        let mut filler = filling.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        if let Some(out) = filler.stdout.take() {
            BufReader::new(out).read_line(&mut said)?;
        }
        println!("filled in {:.0} s", begun.elapsed().as_secs_f64());
        let mut command = Command::new(binary);
        command
            .args(["serve", "--port", "0", "--json"])
            .env("RESCIND_HOME", &home)
            .env("XDG_CONFIG_HOME", folder.join("settings"));
        let mut server = command.stdout(Stdio::piped()).spawn()?;
        let out = server.stdout.take().ok_or("the server has no output")?;
        let mut serving = Self {
            server,
            filler,
            host: String::new(),
            cookie: String::new(),
        };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)?;
        let word = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        serving.host = word("listen").to_owned();
        let begun = Instant::now();
        while serving.get("/readyz").map_or(0, |(status, _)| status) != 200 {
            if begun.elapsed() > READS {
                return Err("the server does not become ready".into());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        println!(
            "ready {:.0} s after it began to serve",
            begun.elapsed().as_secs_f64()
        );
        let form = format!(
            "token={}&name=measurer&password=a+long+enough+word",
            word("admin_token")
        );
        let (_, head) = serving.ask("POST", "/signin/first", &form)?;
        let cookie = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.eq_ignore_ascii_case("set-cookie"))
                .then(|| value.split(';').next().unwrap_or_default().trim())
        });
        serving.cookie = cookie.ok_or(format!("no sign-in: {head}"))?.to_owned();
        Ok(serving)
    }

    fn get(&self, place: &str) -> Result<(u16, String), Failure> {
        let (status, answer) = self.ask("GET", place, "")?;
        let body = answer
            .split_once("\r\n\r\n")
            .map_or(String::new(), |(_, body)| body.to_owned());
        Ok((status, body))
    }

    fn json(&self, place: &str) -> Result<Value, Failure> {
        let (_, body) = self.get(place)?;
        let from = body.find('{').ok_or(format!("{place} is no JSON"))?;
        let to = body.rfind('}').map_or(body.len(), |end| end + 1);
        Ok(serde_json::from_str(body.get(from..to).unwrap_or_default())?)
    }

    /// One request over a connection of its own: head and body of the answer.
    fn ask(&self, method: &str, place: &str, form: &str) -> Result<(u16, String), Failure> {
        let mut stream = TcpStream::connect(&self.host)?;
        let request = format!(
            "{method} {place} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.host,
            self.cookie,
            form.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok((status.unwrap_or(0), answer))
    }

    fn memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap_or_default();
        let line = |name: &str| {
            status
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_default()
        };
        let words =
            [line("VmRSS"), line("VmHWM")].map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.join(", ")
    }
}

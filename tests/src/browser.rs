//! A real browser, driven a command at a time by `tests/browser/run.mjs`.

use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A browser of its own; every person in it has cookies of their own. Gone with the value.
pub struct Browser {
    child: Child,
    pipes: RefCell<Pipes>,
}

struct Pipes {
    /// Taken when the browser is to end: that it is closed is what tells the driver.
    into: Option<ChildStdin>,
    out: Lines<BufReader<ChildStdout>>,
}

/// One person's page.
pub struct Person<'b> {
    browser: &'b Browser,
    name: String,
}

/// The two looks of every page, and the two widths.
pub const LOOKS: [(&str, u32); 4] = [("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)];

impl Browser {
    /// A browser, or `None`, said by the name of what is left out, where `cargo xtask` has prepared none.
    ///
    /// # Panics
    /// It is there and does not start.
    pub fn start(what: &str) -> Option<Self> {
        let Some(folder) = folder() else {
            eprintln!("LEFT OUT: {what}: no browser; run through `cargo xtask test`, or set RESCIND_BROWSER");
            return None;
        };
        let mut child = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/browser/run.mjs"))
            .env("RESCIND_BROWSER", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let into = child.stdin.take();
        let out = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Some(Self {
            child,
            pipes: RefCell::new(Pipes { into, out }),
        })
    }

    /// Somebody with a page of their own.
    pub fn person(&self, name: &str) -> Person<'_> {
        Person {
            browser: self,
            name: name.to_owned(),
        }
    }

    fn tell(&self, command: &Value) -> Result<Value, String> {
        let mut pipes = self.pipes.borrow_mut();
        let into = pipes.into.as_mut().expect("a pipe");
        writeln!(into, "{command}").expect("the browser's driver takes it");
        let line = pipes
            .out
            .next()
            .expect("the browser's driver answers")
            .expect("text");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(answer["ok"].clone()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.pipes.get_mut().into.take());
        let _ended = self.child.wait();
    }
}

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_BROWSER").map(PathBuf::from);
    let usual = std::env::current_exe()
        .ok()?
        .ancestors()
        .find(|folder| folder.ends_with("target"))?
        .join("browser");
    let folder = given.unwrap_or(usual);
    folder
        .join("node_modules/playwright-core")
        .exists()
        .then_some(folder)
}

impl Person<'_> {
    /// Any command of the driver: `{"do": ...}`.
    ///
    /// # Errors
    /// What went wrong, as the driver says it.
    pub fn tell(&self, mut command: Value) -> Result<Value, String> {
        command["as"] = self.name.as_str().into();
        self.browser.tell(&command)
    }

    /// A command that must succeed.
    #[track_caller]
    pub fn does(&self, command: Value) -> Value {
        let shown = command.to_string();
        match self.tell(command) {
            Ok(value) => value,
            Err(error) => {
                let text = self
                    .tell(json!({"do": "text", "selector": "body"}))
                    .unwrap_or_default();
                let url = self.tell(json!({"do": "address"})).unwrap_or_default();
                panic!(
                    "{shown}: {error}\n{url} shows:\n{}",
                    text.as_str().unwrap_or_default()
                )
            }
        }
    }

    /// Open a page. Returns its status.
    #[track_caller]
    pub fn open(&self, url: &str) -> u64 {
        self.does(json!({"do": "open", "url": url})).as_u64().unwrap_or(0)
    }

    /// Press what has this role and name.
    #[track_caller]
    pub fn click(&self, role: &str, name: &str) {
        self.does(json!({"do": "click", "role": role, "name": name}));
    }

    /// Write into the field with this label.
    #[track_caller]
    pub fn fill(&self, label: &str, value: &str) {
        self.does(json!({"do": "fill", "label": label, "value": value}));
    }

    /// Wait until this text is to be seen.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.does(json!({"do": "wait", "text": text}));
    }

    /// Wait until an element of this selector is to be seen. Returns its text.
    #[track_caller]
    pub fn finds(&self, selector: &str) -> String {
        let text = self.does(json!({"do": "wait", "selector": selector}));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Press a key.
    #[track_caller]
    pub fn presses(&self, key: &str) {
        self.does(json!({"do": "press", "key": key}));
    }

    /// Come to what has this role and name by the Tab key alone. Returns how many keys it took.
    #[track_caller]
    pub fn tabs_to(&self, role: &str, name: &str) -> u64 {
        let keys = self.does(json!({"do": "reach", "role": role, "name": name}));
        keys.as_u64().unwrap_or(0)
    }

    /// Where it is.
    #[track_caller]
    pub fn address(&self) -> String {
        self.does(json!({"do": "address"}))
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A picture of the page.
    #[track_caller]
    pub fn shot(&self, path: &Path) {
        self.does(json!({"do": "shot", "path": path}));
    }

    /// That nothing went wrong in the page since it was asked last: no error on its console, no violation of the content
    /// security policy, no answer of 500, no request to elsewhere.
    #[track_caller]
    pub fn has_no_faults(&self) {
        let faults = self.does(json!({"do": "faults"}));
        assert_eq!(faults, json!([]), "{}", self.address());
    }

    /// What is wrong with a page in both themes and both widths, empty where nothing is: opened anew in each, axe finds
    /// nothing serious, nothing is wider than the window, nothing shifts, what is pressed is large enough, and nothing goes
    /// wrong. With `RESCIND_SHOTS`, a picture of each look goes into that folder.
    #[track_caller]
    pub fn judges(&self, url: &str, name: &str) -> Vec<String> {
        let shots = std::env::var_os("RESCIND_SHOTS").map(PathBuf::from);
        let mut wrong = Vec::new();
        for (theme, width) in LOOKS {
            self.does(json!({"do": "look", "theme": theme, "width": width}));
            self.open(url);
            let judged = self.does(json!({"do": "judge"}));
            let faults = self.does(json!({"do": "faults"}));
            let all = [judged, faults];
            let all = all.iter().filter_map(Value::as_array).flatten();
            wrong.extend(all.map(|fault| format!("{name} {theme} {width}: {fault}")));
            if let Some(folder) = &shots {
                self.shot(&folder.join(format!("{name}-{theme}-{width}.png")));
            }
        }
        self.does(json!({"do": "look", "theme": "light", "width": 1440}));
        wrong
    }
}

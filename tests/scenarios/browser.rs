//! That what judges pages finds what is wrong with them. Without this a green console proves nothing.

use rescind_scenarios::Browser;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

/// A page that nothing is wrong with.
const GOOD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Good</title>\
    <meta name=viewport content='width=device-width'><link rel=icon href='data:,'></head><body><main><h1>Good</h1>\
    <p><a href='#one'>One</a></p><div style='overflow-x: auto' tabindex=0><table style='width: 2000px'>\
    <tr><th scope=col>wide, in a box</th></tr><tr><td>one</td></tr></table></div>\
    <label>Name <input style='height: 2rem'></label> <button style='height: 2rem' id=go>Go</button></main></body></html>";

/// A server of a few pages. Ends with the test.
fn serve(pages: &'static [(&'static str, &'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut lines = BufReader::new(&stream);
            let _gone = lines.read_line(&mut line);
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            while lines.read_line(&mut line).is_ok_and(|read| read > 2) {}
            let found = pages.iter().find(|(own, ..)| *own == path);
            let (status, head, body) =
                found.map_or((404, "", "nothing here"), |(_, head, body)| (200, *head, *body));
            let status = if path == "/broken" { 500 } else { status };
            let _gone = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-type: text/html\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

#[test]
fn a_good_page_is_found_good() {
    let Some(browser) = Browser::start("a good page in a browser") else {
        return;
    };
    let url = serve(&[(
        "/",
        "content-security-policy: default-src 'self'; style-src 'unsafe-inline'; img-src data:\r\n",
        GOOD,
    )]);
    let ann = browser.person("ann");
    assert_eq!(ann.judges(&url, "good"), Vec::<String>::new());
    assert!(ann.tabs_to("button", "Go") <= 4);
    ann.sees("wide, in a box");
}

#[test]
fn whatever_is_wrong_with_a_page_is_found() {
    let Some(browser) = Browser::start("faulty pages in a browser") else {
        return;
    };
    let page = |body: &str| -> &'static str {
        let page = GOOD.replace("<p>", &format!("{body}<p>"));
        Box::leak(page.into_boxed_str())
    };
    let pages = vec![
        (
            "/contrast",
            "",
            page("<p style='color: #bbb; background: #fff'>hardly to be read</p>"),
        ),
        (
            "/unnamed",
            "",
            page("<button style='height: 2rem; width: 2rem'></button>"),
        ),
        ("/wide", "", page("<p style='width: 1500px'>wide</p>")),
        (
            "/small",
            "",
            page("<button style='height: 12px; font-size: 8px'>Small</button>"),
        ),
        (
            "/shift",
            "",
            page(
                "<div id=late></div><script>setTimeout(() => { document.querySelector('#late').style.height = '300px'; \
                  document.title = 'late' }, 100)</script>",
            ),
        ),
        (
            "/console",
            "",
            page("<script>console.error('out of order')</script>"),
        ),
        ("/script", "", page("<script>nowhere.to.be.found()</script>")),
        (
            "/csp",
            "content-security-policy: script-src 'self'\r\n",
            page("<script>document.title = 'inline'</script>"),
        ),
        (
            "/elsewhere",
            "",
            page("<img alt=x src='http://127.0.0.1:9/x.png'>"),
        ),
        ("/broken", "", page("")),
        ("/unseen", "", page("<style>#go:focus { outline: none }</style>")),
    ];
    let url = serve(Box::leak(pages.into_boxed_slice()));
    let ann = browser.person("ann");
    let judged = |path: &str, word: &str| {
        ann.does(json!({"do": "look", "width": 360}));
        ann.open(&format!("{url}{path}"));
        if path == "/shift" {
            ann.does(
                json!({"do": "value", "script": "new Promise((done) => { const look = () => \
                window.__shifts.length ? done() : setTimeout(look, 5); look() })"}),
            );
        }
        let faults = ann.does(json!({"do": "judge"})).to_string();
        assert!(faults.contains(word), "{path}: {word} is not in {faults}");
    };
    judged("/contrast", "color-contrast");
    judged("/unnamed", "button-name");
    judged("/wide", "overflow: 15");
    judged("/small", "small: ");
    judged("/shift", "shift: ");
    ann.does(json!({"do": "faults"}));
    for (path, word) in [
        ("/console", "console: out of order"),
        ("/script", "script: nowhere is not defined"),
        ("/csp", "CSP: script-src"),
        ("/elsewhere", "elsewhere: http://127.0.0.1:9/x.png"),
        ("/broken", "answer: 500"),
    ] {
        ann.open(&format!("{url}{path}"));
        let faults = ann.does(json!({"do": "faults"})).to_string();
        assert!(faults.contains(word), "{path}: {word} is not in {faults}");
    }
    ann.open(&format!("{url}/unseen"));
    let unseen = ann
        .tell(json!({"do": "reach", "role": "button", "name": "Go"}))
        .unwrap_err();
    assert!(unseen.contains("not to be seen"), "{unseen}");
    ann.open(&format!("{url}/contrast"));
    let nowhere = ann
        .tell(json!({"do": "reach", "role": "heading", "name": "Good", "most": 5}))
        .unwrap_err();
    assert!(nowhere.contains("did not come there"), "{nowhere}");
}

#[test]
fn every_person_has_cookies_of_their_own() {
    let Some(browser) = Browser::start("people with cookies in a browser") else {
        return;
    };
    let url = serve(&[
        ("/", "set-cookie: who=ann; HttpOnly; SameSite=Strict\r\n", GOOD),
        ("/other", "", GOOD),
    ]);
    let (ann, bob) = (browser.person("ann"), browser.person("bob"));
    ann.open(&url);
    bob.open(&format!("{url}/other"));
    let cookies = ann.does(json!({"do": "cookies"}));
    assert_eq!(
        (&cookies[0]["name"], &cookies[0]["httpOnly"]),
        (&json!("who"), &json!(true))
    );
    assert_eq!(bob.does(json!({"do": "cookies"})), json!([]));
    ann.does(json!({"do": "leave"}));
    assert_eq!(ann.does(json!({"do": "cookies"})), json!([]));
}

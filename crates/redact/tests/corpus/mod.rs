//! Secrets and look-alikes. The secrets are made up from pieces while the tests run, so that nothing in this
//! repository looks like a credential to anybody's scanner.

/// A secret and the text it stands in.
pub struct Sample {
    /// What it is, as the marker should say.
    pub kind: &'static str,
    /// A line of output, or of a script, with the secret in it.
    pub text: String,
    /// What must be nowhere afterwards.
    pub secret: String,
}

pub const ALNUM: &str = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
pub const UPPER: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
pub const HEX: &str = "0123456789abcdef";
pub const URL: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub const BASE64: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

/// A small generator (SplitMix64): the same bytes in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut own = self.0;
        own = (own ^ (own >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        own = (own ^ (own >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        own ^ (own >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// `length` characters, of which the first three are a small letter, a capital and a digit where there are some.
    pub fn of(&mut self, alphabet: &str, length: usize) -> String {
        let all: Vec<char> = alphabet.chars().collect();
        let mut text: Vec<char> = (0..length).map(|_| all[self.below(all.len())]).collect();
        for (place, sort) in [
            char::is_lowercase as fn(char) -> bool,
            char::is_uppercase,
            |own| own.is_ascii_digit(),
        ]
        .into_iter()
        .enumerate()
        {
            let some: Vec<char> = all.iter().copied().filter(|own| sort(*own)).collect();
            if !some.is_empty() && place < length {
                text[place] = some[self.below(some.len())];
            }
        }
        text.into_iter().collect()
    }

    pub fn uuid(&mut self) -> String {
        let hex = self.of(HEX, 32);
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }
}

/// Tokens that stand for themselves, wherever they are.
pub fn tokens() -> Vec<(&'static str, String)> {
    let mut dice = Dice(7);
    let mut list: Vec<(&'static str, String)> = Vec::new();
    let rows: &[(&'static str, &[&str], &str, usize)] = &[
        ("aws-access-key-id", &["AK", "IA"], UPPER, 16),
        ("aws-access-key-id", &["AS", "IA"], UPPER, 16),
        ("github-token", &["gh", "p_"], ALNUM, 36),
        ("github-token", &["gh", "o_"], ALNUM, 36),
        ("github-token", &["gh", "u_"], ALNUM, 36),
        ("github-token", &["gh", "s_"], ALNUM, 36),
        ("github-token", &["gh", "r_"], ALNUM, 76),
        ("rescind-token", &["rs", "c_api_"], ALNUM, 49),
        ("rescind-token", &["rs", "c_agt_"], ALNUM, 49),
        ("rescind-token", &["rs", "c_web_"], ALNUM, 49),
        ("rescind-token", &["rs", "c_oid_"], ALNUM, 49),
        ("gitlab-token", &["gl", "pat-"], URL, 20),
        ("gitlab-token", &["gl", "ptt-"], HEX, 40),
        ("gitlab-token", &["gl", "dt-"], URL, 20),
        ("gitlab-token", &["gl", "rt-"], URL, 20),
        ("gitlab-token", &["gl", "cbt-"], URL, 24),
        ("stripe-key", &["sk", "_live_"], ALNUM, 24),
        ("stripe-key", &["sk", "_live_"], ALNUM, 99),
        ("stripe-key", &["rk", "_live_"], ALNUM, 24),
        ("stripe-key", &["sk", "_test_"], ALNUM, 24),
        ("webhook-secret", &["wh", "sec_"], ALNUM, 32),
        ("google-api-key", &["AI", "za"], URL, 35),
        ("google-oauth-token", &["ya", "29."], URL, 120),
        ("google-refresh-token", &["1/", "/0"], URL, 60),
        ("google-client-secret", &["GOC", "SPX-"], URL, 28),
        ("npm-token", &["np", "m_"], ALNUM, 36),
        ("pypi-token", &["py", "pi-AgEIcHlwaS5vcmc"], URL, 120),
        ("crates-io-token", &["ci", "o"], ALNUM, 32),
        ("rubygems-token", &["ruby", "gems_"], HEX, 48),
        ("nuget-key", &["oy", "2"], "abcdefghijklmnopqrstuvwxyz234567", 43),
        ("docker-token", &["dckr", "_pat_"], URL, 27),
        ("docker-token", &["dckr", "_oat_"], URL, 32),
        ("openai-key", &["sk", "-"], ALNUM, 48),
        ("openai-key", &["sk", "-proj-"], URL, 100),
        ("openai-key", &["sk", "-svcacct-"], URL, 80),
        ("anthropic-key", &["sk", "-ant-", "api03-"], URL, 95),
        ("anthropic-key", &["sk", "-ant-", "oat01-"], URL, 95),
        ("openrouter-key", &["sk", "-or-v1-"], HEX, 64),
        ("huggingface-token", &["h", "f_"], ALNUM, 34),
        ("groq-key", &["gs", "k_"], ALNUM, 52),
        ("perplexity-key", &["ppl", "x-"], ALNUM, 48),
        ("replicate-token", &["r", "8_"], ALNUM, 37),
        ("twilio-key", &["S", "K"], HEX, 32),
        ("twilio-account", &["A", "C"], HEX, 32),
        ("mailgun-key", &["ke", "y-"], HEX, 32),
        ("brevo-key", &["xkey", "sib-"], HEX, 64),
        (
            "age-secret-key",
            &["AGE-", "SECRET-", "KEY-1"],
            "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
            58,
        ),
        ("digitalocean-token", &["do", "p_v1_"], HEX, 64),
        ("digitalocean-token", &["do", "o_v1_"], HEX, 64),
        ("databricks-token", &["da", "pi"], HEX, 32),
        ("heroku-key", &["HR", "KU-"], URL, 60),
        ("new-relic-key", &["NR", "AK-"], UPPER, 27),
        ("sentry-token", &["sn", "trys_"], BASE64, 120),
        ("sentry-token", &["sn", "tryu_"], HEX, 64),
        ("shopify-token", &["sh", "pat_"], HEX, 32),
        ("shopify-token", &["sh", "pss_"], HEX, 32),
        ("square-token", &["sq", "0atp-"], URL, 22),
        ("square-secret", &["sq", "0csp-"], URL, 43),
        ("planetscale-token", &["psc", "ale_tkn_"], URL, 43),
        ("planetscale-password", &["psc", "ale_pw_"], URL, 43),
        ("vault-token", &["hv", "s."], URL, 90),
        ("vault-token", &["hv", "b."], URL, 140),
        ("linear-key", &["lin", "_api_"], ALNUM, 40),
        ("notion-token", &["sec", "ret_"], ALNUM, 43),
        ("notion-token", &["nt", "n_"], ALNUM, 46),
        ("figma-token", &["fi", "gd_"], URL, 40),
        ("grafana-token", &["gl", "c_"], BASE64, 64),
        ("supabase-token", &["sb", "p_"], HEX, 40),
        ("vercel-token", &["vc", "p_"], ALNUM, 56),
        ("netlify-token", &["nf", "p_"], ALNUM, 36),
        ("doppler-token", &["dp", ".pt."], ALNUM, 43),
        ("easypost-key", &["EZ", "AK"], ALNUM, 54),
        ("pulumi-token", &["pu", "l-"], HEX, 40),
        ("sonar-token", &["sq", "p_"], HEX, 40),
        ("tailscale-key", &["ts", "key-auth-"], ALNUM, 30),
        ("typeform-token", &["tf", "p_"], URL, 44),
        ("circleci-token", &["CCI", "PAT_"], ALNUM, 50),
        ("contentful-token", &["CF", "PAT-"], URL, 43),
        ("alibaba-key-id", &["LT", "AI"], ALNUM, 20),
        ("atlassian-token", &["AT", "ATT3"], URL, 180),
        ("bitbucket-token", &["AT", "BB"], ALNUM, 32),
        ("openshift-token", &["sha", "256~"], URL, 43),
        ("posthog-key", &["ph", "x_"], ALNUM, 43),
        ("langsmith-key", &["ls", "v2_pt_"], HEX, 32),
        (
            "bitcoin-extended-key",
            &["xp", "rv"],
            "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
            107,
        ),
        (
            "nostr-secret-key",
            &["ns", "ec1"],
            "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
            58,
        ),
    ];
    for (kind, prefix, alphabet, length) in rows {
        list.push((kind, format!("{}{}", prefix.concat(), dice.of(alphabet, *length))));
    }
    list.push((
        "github-token",
        format!("github{}{}_{}", "_pat_", dice.of(ALNUM, 22), dice.of(ALNUM, 59)),
    ));
    for sort in ["b", "p", "a", "r"] {
        let digits = dice.of("123456789", 12);
        list.push((
            "slack-token",
            format!("xo{}{sort}-{digits}-{digits}-{}", "x", dice.of(ALNUM, 24)),
        ));
    }
    list.push((
        "slack-token",
        format!(
            "xa{}-1-A{}-{}-{}",
            "pp",
            dice.of(UPPER, 10),
            dice.of("123456789", 13),
            dice.of(HEX, 64)
        ),
    ));
    list.push((
        "sendgrid-key",
        format!("S{}.{}.{}", "G", dice.of(URL, 22), dice.of(URL, 43)),
    ));
    list.push((
        "postman-key",
        format!("PM{}-{}-{}", "AK", dice.of(HEX, 24), dice.of(HEX, 34)),
    ));
    list.push((
        "grafana-token",
        format!("gl{}_{}_{}", "sa", dice.of(ALNUM, 32), dice.of(HEX, 8)),
    ));
    list.push((
        "terraform-token",
        format!("{}.{}.{}", dice.of(ALNUM, 14), "atlasv1", dice.of(URL, 67)),
    ));
    list.push((
        "jwt",
        format!(
            "ey{}{}.ey{}{}.{}",
            "J",
            dice.of(URL, 34),
            "J",
            dice.of(URL, 80),
            dice.of(URL, 43)
        ),
    ));
    list.push((
        "azure-client-secret",
        format!("{}8Q~{}", dice.of(ALNUM, 3), dice.of(ALNUM, 34)),
    ));
    list.push(("mailchimp-key", format!("{}-us{}", dice.of(HEX, 32), 14)));
    list.push(("new-relic-key", format!("{}{}", dice.of(HEX, 36), "NRAL")));
    list.push((
        "airtable-token",
        format!("pa{}{}.{}", "t", dice.of(ALNUM, 14), dice.of(HEX, 64)),
    ));
    list.push(("hubspot-token", format!("pa{}-na1-{}", "t", dice.uuid())));
    list.push(("plaid-token", format!("acc{}-production-{}", "ess", dice.uuid())));
    list.push((
        "resend-key",
        format!("r{}_{}_{}", "e", dice.of(ALNUM, 8), dice.of(ALNUM, 24)),
    ));
    list.push((
        "discord-token",
        format!(
            "M{}{}.{}.{}",
            "T",
            dice.of(ALNUM, 24),
            dice.of(ALNUM, 6),
            dice.of(ALNUM, 38)
        ),
    ));
    list.push(("vault-token", format!("s{}{}", ".", dice.of(ALNUM, 24))));
    list.push(("onepassword-key", {
        let groups: Vec<String> = [6, 6, 5, 5, 5, 5]
            .iter()
            .map(|length| dice.of(UPPER, *length))
            .collect();
        format!("A{}-{}", 3, groups.join("-"))
    }));
    list
}

/// The body of a PEM file.
pub fn pem(dice: &mut Dice, label: &str, lines: usize, end: &str) -> String {
    let dashes = "-".repeat(5);
    let body: Vec<String> = (0..lines).map(|_| dice.of(BASE64, 64)).collect();
    format!(
        "{dashes}BEGIN {label}{dashes}{end}{}{end}{dashes}END {label}{dashes}",
        body.join(end)
    )
}

fn sample(list: &mut Vec<Sample>, kind: &'static str, text: &str, secret: &str) {
    assert!(text.contains("{}"), "{text}");
    list.push(Sample {
        kind,
        text: text.replace("{}", secret),
        secret: secret.to_owned(),
    });
}

/// Secrets that their name or place gives away.
pub fn in_place() -> Vec<Sample> {
    let mut dice = Dice(11);
    let mut list = Vec::new();
    let to = &mut list;
    let word = |dice: &mut Dice| format!("Hunter{}!{}", dice.below(90) + 10, dice.of(ALNUM, 5));
    let plain = |dice: &mut Dice| format!("{}{}", dice.of("bcdfghjkmnpqrstvwxz", 9), dice.below(90) + 10);
    let hex = |dice: &mut Dice| dice.of(HEX, 32);
    let long = |dice: &mut Dice| dice.of(ALNUM, 40);
    for text in [
        "DB_PASSWORD={}",
        "export PGPASSWORD='{}'",
        "PGPASSWORD={} psql -h db",
        "MYSQL_PWD={} mysqldump x",
        "MYSQL_ROOT_PASSWORD={}",
        "password={}",
        "password = {}",
        "password = \"{}\"",
        "db.password={}",
        "spring.datasource.password={}",
        "password: {}",
        "  password: \"{}\"",
        "  - password: '{}'",
        "{\"password\": \"{}\"}",
        "{\"user\":\"bob\",\"password\":\"{}\",\"x\":1}",
        "{\\\"password\\\":\\\"{}\\\"}",
        "{'password': '{}'}",
        "{ user: bob, password: {} }",
        ":password => \"{}\"",
        "'password' => '{}',",
        "<password>{}</password>",
        "<add key=\"Password\" value=\"{}\" />",
        "mytool --password {}",
        "mytool --password={}",
        "mytool --password '{}' --user bob",
        "mytool --db-password={} -v",
        "mytool --passphrase {}",
        "keytool -list -storepass {} -keystore k",
        "['tool', '--password', '{}']",
        "[\"tool\",\"--password\",\"{}\"]",
        "java -Ddb.password={} -jar x.jar",
        "Server=db;Database=x;User Id=sa;Password={};Encrypt=true",
        "Server=db;Uid=sa;Pwd={};",
        "jdbc:mysql://db/x?user=sa&password={}&useSSL=false",
        "host=db user=sa password={} dbname=x",
        "requirepass {}",
        "CREATE USER bob WITH PASSWORD '{}';",
        "ALTER ROLE bob PASSWORD '{}'",
        "const password = '{}';",
        "let dbPassword = \"{}\";",
        "config[\"password\"] = \"{}\"",
        "os.environ['DB_PASSWORD'] = '{}'",
        "Generated root password: {}",
        "The admin password is {}",
        "A temporary password is generated for root@localhost: {}",
        "smtp_pass: {}",
        "DB_PASS={}",
        "wifi psk=\"{}\"",
        "redis-cli --pass {} ping",
        "  userPassword: {}",
        "docker run -e POSTGRES_PASSWORD={} postgres",
        "\"Env\": [\"DB_PASSWORD={}\", \"X=1\"]",
        "\u{1b}[32mpassword\u{1b}[0m password={}",
        "config.yml:12:  password: {}",
        "+  password: {}",
        "helm install --set auth.password={} x",
        "gpg --batch --passphrase {} -d f",
        "svn co --username bob --password {} url",
        "BORG_PASSPHRASE={} borg list",
        "ansible-playbook -e ansible_password={} x.yml",
        "bitcoin-cli -rpcpassword={} getinfo",
        "machine api.example.com login bob password {}",
        "default login bob\n  password {}",
        "wget --http-password={} http://x/",
        "- name: DB_PASSWORD\n  value: {}",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"{}\"}",
        "SET PASSWORD = '{}'",
        "password_1={}",
        "PASSWORD_ADMIN={}",
        "nmcli dev wifi connect x password \"{}\"",
        "passwd: {}",
    ] {
        let kind = if text.starts_with("PASSWORD_ADMIN") {
            "secret"
        } else {
            "password"
        };
        let secret = word(&mut dice);
        sample(to, kind, text, &secret);
        let secret = plain(&mut dice);
        sample(to, kind, text, &secret);
    }
    for text in [
        "mysql -u root -p{} shop",
        "mysqldump -uroot -p{} --all-databases > x.sql",
        "mysql -u root -p {} shop",
        "mysql -u root -p {}",
        "sshpass -p {} ssh bob@host",
        "sshpass -p{} scp a b",
        "curl -u bob:{} http://api/x",
        "curl -ubob:{} http://api/x",
        "curl --user bob:{} http://api/x",
        "curl --user=bob:{} http://api",
        "curl -s \\\n  -u bob:{} \\\n  http://api/x",
        "docker login -u bob -p {} registry",
        "helm registry login -u bob -p {} r",
        "redis-cli -h x -a {} ping",
        "redis-cli AUTH {}",
        "mongosh -u bob -p {} --host x",
        "ldapsearch -x -D cn=admin -w {} -b dc=x",
        "smbclient //h/s -U bob%{}",
        "http -a bob:{} :8000/x",
        "openssl rsa -in k -passin pass:{}",
        "zip -P {} a.zip f",
        "7z x -p{} a.7z",
        "htpasswd -nb bob {}",
        "lftp -u bob,{} ftp://h",
        "ipmitool -H h -U a -P {} power off",
        "sqlcmd -S h -U sa -P {}",
        "sqlplus bob/{}@orcl",
        "echo {} | docker login -u bob --password-stdin",
        "echo 'bob:{}' | chpasswd",
        "echo {} | sudo -S ls",
        "sh -c \"mysql -uroot -p{}\"",
        "bash -lc 'sshpass -p {} ssh h'",
        "sudo mysql -uroot -p{} x",
        "/usr/bin/mysql -p{}",
        "[\"mysql\",\"-uroot\",\"-p{}\"]",
        "kubectl create secret generic x --from-literal=api={}",
        "fly secrets set API={} OTHER=1",
        "vault kv put secret/x value={}",
        "rabbitmqctl add_user bob {}",
        "jdbc:oracle:thin:bob/{}@//db:1521/x",
        "localhost:5432:shop:bob:{}",
        "CREATE USER 'x'@'%' IDENTIFIED BY '{}';",
        "x && curl -u bob:{} http://api",
        "twine upload -u __token__ -p {} dist/x",
        "AUTH {}",
    ] {
        let secret = dice.of(ALNUM, 14);
        let any = ["kubectl", "fly", "vault", "rabbit"]
            .iter()
            .any(|word| text.starts_with(word));
        sample(to, if any { "" } else { "password" }, text, &secret);
    }
    for text in [
        "https://bob:{}@example.com/x",
        "postgres://bob:{}@db:5432/shop",
        "postgresql+psycopg2://bob:{}@db/shop",
        "mysql://root:{}@127.0.0.1:3306/x",
        "mongodb+srv://bob:{}@c.example.net/x?w=1",
        "redis://:{}@cache:6379/0",
        "amqps://bob:{}@mq/vh",
        "git clone https://bob:{}@example.com/r.git",
        "DATABASE_URL=postgres://bob:{}@db/shop",
        "HTTPS_PROXY=http://bob:{}@proxy:3128",
        "remote: https://x-access-token:{}@example.com/r",
        "{\"url\":\"ftp://bob:{}@h/\"}",
        "cloudinary://123456789012345:{}@demo",
    ] {
        let secret = dice.of(ALNUM, 12);
        sample(to, "url-password", text, &secret);
    }
    sample(to, "url-password", "postgres://bob:{}@db/x", "p@ss/w0rd");
    for text in [
        "Authorization: Bearer {}",
        "curl -H 'Authorization: Bearer {}' http://x",
        "curl -H \"Authorization: token {}\" x",
        "\"Authorization\": \"Bearer {}\"",
        "authorization: bearer {}",
        "{'Authorization': 'Bearer {}'}",
        "-H \"Authorization: ApiKey {}\"",
        "headers={\"Authorization\": f\"Bearer {}\"}",
        "sending Bearer {} to x",
        "Proxy-Authorization: Bearer {}",
    ] {
        let secret = long(&mut dice);
        sample(to, "bearer-token", text, &secret);
    }
    for text in [
        "Authorization: Basic {}",
        "git -c http.extraHeader=\"AUTHORIZATION: basic {}\" fetch",
        "proxy-authorization: Basic {}",
    ] {
        let secret = format!("{}==", dice.of(ALNUM, 22));
        sample(to, "basic-auth", text, &secret);
    }
    for text in [
        "AWS_SECRET_ACCESS_KEY={}",
        "aws_secret_access_key = {}",
        "\"SecretAccessKey\": \"{}\"",
        "aws configure set aws_secret_access_key {}",
        "client_secret={}",
        "\"client_secret\": \"{}\"",
        "clientSecret: '{}'",
        "STRIPE_SECRET={}",
        "DJANGO_SECRET_KEY='{}'",
        "SECRET_KEY_BASE={}",
        "api_key: {}",
        "apiKey: \"{}\"",
        "--api-key {}",
        "--api-key={}",
        "X-Api-Key: {}",
        "curl -H 'X-Api-Key: {}' x",
        "x-goog-api-key: {}",
        "https://api.example.com/v1?api_key={}&x=1",
        "DATADOG_API_KEY={}",
        "DD-API-KEY: {}",
        "CLOUDFLARE_API_TOKEN={}",
        "FASTLY_API_TOKEN={}",
        "VERCEL_TOKEN={}",
        "TWILIO_AUTH_TOKEN={}",
        "NPM_TOKEN={}",
        "//registry.npmjs.org/:_authToken={}",
        "npm config set //registry.npmjs.org/:_authToken {}",
        "\"access_token\":\"{}\"",
        "refresh_token={}",
        "\"refreshToken\": \"{}\"",
        "https://x/cb#access_token={}&t=1",
        "AWS_SESSION_TOKEN={}",
        "GITHUB_TOKEN={}",
        "GITHUB_PAT={}",
        "X-Vault-Token: {}",
        "PRIVATE-TOKEN: {}",
        "X-Auth-Key: {}",
        "Fastly-Key: {}",
        "Ocp-Apim-Subscription-Key: {}",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=core",
        "Endpoint=sb://x/;SharedAccessKeyName=R;SharedAccessKey={}",
        "az storage blob list --account-key {}",
        "ENCRYPTION_KEY={}",
        "JWT_SECRET={}",
        "SESSION_SECRET={}",
        "private key: 0x{}",
        "PRIVATE_KEY=0x{}",
        "Private key (hex): {}",
        "Unseal Key 1: {}",
        "Initial Root Token: {}",
        "PrivateKey = {}=",
        "PresharedKey = {}=",
        "tailscale up --authkey {}",
        "SONAR_TOKEN={}",
        "otpauth://totp/x?secret={}&issuer=y",
        "HEROKU_API_KEY={}",
        "SLACK_SIGNING_SECRET={}",
        "<secretKey>{}</secretKey>",
        "- name: API_TOKEN\n  value: {}",
        "ngrok authtoken {}",
        "secrets.toml: api_token = \"{}\"",
        "API key: {}",
        "Personal access token: {}",
        "\"token\": \"{}\"",
        "token: {}",
        "tool --token {}",
        "tool --token={}",
        "export TOKEN={}",
        "https://x/y?token={}",
        "token={}",
        "APP_KEY=base64:{}=",
        "ACME_KEY={}",
        "snyk auth {}",
        "cargo login {}",
        "vault login {}",
    ] {
        let secret = if text.contains("0x") || text.contains("(hex)") {
            dice.of(HEX, 64)
        } else {
            long(&mut dice)
        };
        sample(to, "", text, &secret);
    }
    for text in [
        "DD_API_KEY={}",
        "HEROKU_API_KEY={}",
        "api_key = \"{}\"",
        "X-Api-Key: {}",
        "FASTLY_API_TOKEN={}",
    ] {
        let secret = hex(&mut dice);
        sample(to, "", text, &secret);
    }
    for text in include_str!("in_place.txt").lines() {
        let secret = plain(&mut dice);
        sample(to, "", text, &secret);
        let secret = format!("{}{}", dice.of(ALNUM, 16), "Zq7");
        sample(to, "", text, &secret);
    }
    let secret = dice.uuid();
    sample(to, "", "HEROKU_API_KEY={}", &secret);
    let secret = dice.uuid();
    sample(to, "", "CONSUL_HTTP_TOKEN={}", &secret);
    let secret = format!(
        "T{}/B{}/{}",
        dice.of(UPPER, 8),
        dice.of(UPPER, 10),
        dice.of(ALNUM, 24)
    );
    sample(
        to,
        "slack-webhook",
        "curl -X POST https://hooks.slack.com/services/{}",
        &secret,
    );
    let secret = dice.of(URL, 68);
    sample(
        to,
        "discord-webhook",
        "https://discord.com/api/webhooks/123456789012345678/{}",
        &secret,
    );
    let secret = format!("AA{}", dice.of(URL, 33));
    sample(
        to,
        "telegram-token",
        "https://api.telegram.org/bot123456789:{}/getMe",
        &secret,
    );
    let secret = dice.of(HEX, 32);
    sample(
        to,
        "url-credential",
        "SENTRY_DSN=https://{}@o1.ingest.sentry.io/42",
        &secret,
    );
    let secret = format!("{}%2B{}%3D", dice.of(ALNUM, 22), dice.of(ALNUM, 20));
    sample(
        to,
        "url-signature",
        "https://x.blob.core.windows.net/c/b?sv=2022-11-02&se=2026&sig={}&sr=b",
        &secret,
    );
    let secret = dice.of(HEX, 64);
    sample(
        to,
        "url-signature",
        "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={}",
        &secret,
    );
    let secret = format!("{}==", dice.of(BASE64, 86));
    sample(to, "", "AccountName=x;AccountKey={};EndpointSuffix=y", &secret);
    let secret = format!("{}=", dice.of(ALNUM, 19));
    sample(
        to,
        "",
        "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"{}\"}}}",
        &secret,
    );
    let secret = dice.of(ALNUM, 32);
    sample(to, "cookie", "Cookie: theme=dark; session={}; lang=de", &secret);
    let secret = dice.of(ALNUM, 32);
    sample(to, "cookie", "Set-Cookie: sid={}; Path=/; HttpOnly", &secret);
    let secret = format!("$6$saltsalt${}", dice.of(ALNUM, 86));
    sample(to, "password-hash", "root:{}:19000:0:99999:7:::", &secret);
    let words = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    sample(to, "mnemonic", "mnemonic: {}", words);
    let secret = dice.of(ALNUM, 40);
    let id = format!("AK{}{}", "IA", dice.of(UPPER, 16));
    sample(to, "aws-secret-key", &format!("{id},{{}}"), &secret);
    for label in [
        "RSA PRIVATE KEY",
        "PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        let secret = pem(&mut dice, label, 12, "\n");
        sample(to, "private-key", "key:\n{}\nend", &secret);
        let secret = pem(&mut dice, label, 3, "\\n");
        sample(
            to,
            "private-key",
            "{\"private_key\": \"{}\\n\", \"client_email\": \"x@y\"}",
            &secret,
        );
    }
    let secret = pem(&mut dice, "PRIVATE KEY", 700, "\n");
    sample(to, "private-key", "a long one\n{}\nend", &secret);
    let secret = pem(&mut dice, "RSA PRIVATE KEY", 5, "\r\n    ");
    sample(to, "private-key", "key: |\r\n    {}\r\nother: 1", &secret);
    let encoded = ["LS0tLS1CRUdJTiBSU0EgUFJJ", "VkFURSBLRVktLS0tLQpN"].concat() + &dice.of(ALNUM, 100);
    sample(to, "private-key", "    client-key-data: {}", &encoded);
    list
}

/// What no rule may touch.
pub fn look_alikes() -> Vec<String> {
    let mut dice = Dice(13);
    let lines = include_str!("look_alikes.txt");
    let mut list: Vec<String> = lines
        .split("\n")
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    for _ in 0..8 {
        list.push(dice.uuid());
        list.push(format!("commit {}", dice.of(HEX, 40)));
        list.push(format!("sha256:{}", dice.of(HEX, 64)));
        list.push(format!("\"integrity\": \"sha512-{}==\",", dice.of(BASE64, 86)));
        list.push(format!(
            "data:image/png;base64,iVBORw0KGgo{}",
            dice.of(BASE64, 200)
        ));
        list.push(format!("checksum = \"{}\"", dice.of(HEX, 64)));
        list.push(format!(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} bob@host",
            dice.of(BASE64, 43)
        ));
        list.push(format!("id: {}  digest: {}", dice.uuid(), dice.of(HEX, 32)));
    }
    for label in [
        "CERTIFICATE",
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "PGP PUBLIC KEY BLOCK",
        "CERTIFICATE REQUEST",
    ] {
        list.push(pem(&mut dice, label, 9, "\n"));
    }
    list
}

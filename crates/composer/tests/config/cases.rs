//! Makes configurations, environments and URLs at random, from parts that matter.

use std::fs;
use std::path::Path;

use allegro_composer::json::Json;
use fastrand::Rng;

/// A source of a configuration.
pub struct Source {
    pub name: String,
    pub is_auth: bool,
    pub text: String,
}

/// An archive of a package.
#[derive(Debug)]
pub struct DistCase {
    pub name: String,
    pub version: String,
    pub pretty: String,
    pub url: String,
    pub reference: Option<String>,
    pub mirrors: Json,
}

/// A configuration and the questions about it.
pub struct Case {
    pub environment: Vec<(String, String)>,
    pub base: String,
    pub sources: Vec<Source>,
    pub keys: Vec<String>,
    pub urls: Vec<String>,
    pub proxied: Vec<String>,
    pub dists: Vec<DistCase>,
}

fn object(entries: impl IntoIterator<Item = (&'static str, Json)>) -> Json {
    let entries = entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Json::Object(entries.collect())
}

impl Case {
    pub fn to_json(&self) -> Json {
        let source = |source: &Source| {
            object([
                ("name", Json::str(&source.name)),
                ("auth", Json::Bool(source.is_auth)),
                ("text", Json::str(&source.text)),
            ])
        };
        let dist = |dist: &DistCase| {
            object([
                ("name", Json::str(&dist.name)),
                ("version", Json::str(&dist.version)),
                ("pretty", Json::str(&dist.pretty)),
                ("url", Json::str(&dist.url)),
                (
                    "reference",
                    dist.reference.as_ref().map_or(Json::Null, Json::str),
                ),
                ("mirrors", dist.mirrors.clone()),
            ])
        };
        let variable = |(name, value): &(String, String)| (name.clone(), Json::str(value));
        object([
            (
                "environment",
                Json::Object(self.environment.iter().map(variable).collect()),
            ),
            ("base", Json::str(&self.base)),
            (
                "sources",
                Json::Array(self.sources.iter().map(source).collect()),
            ),
            ("keys", Json::strings(self.keys.clone())),
            ("urls", Json::strings(self.urls.clone())),
            ("proxied", Json::strings(self.proxied.clone())),
            ("dists", Json::Array(self.dists.iter().map(dist).collect())),
        ])
    }
}

/// Makes cases, and the directories that they look for.
pub fn all(root: &Path, count: u64) -> Vec<Case> {
    (0..count)
        .map(|seed| case(root, &mut Rng::with_seed(seed)))
        .collect()
}

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(..count) == 0
}

fn case(root: &Path, rng: &mut Rng) -> Case {
    let home = root.join(format!("home{}", rng.u32(..6)));
    for directory in [
        ".config/composer",
        ".composer",
        ".composer/cache",
        ".cache/composer",
    ] {
        if rng.bool() && !home.exists() {
            fs::create_dir_all(home.join(directory)).unwrap();
        }
    }
    let home = home.to_str().unwrap();
    let sources = [
        "/etc/composer/config.json",
        "/etc/composer/auth.json",
        "COMPOSER_AUTH",
    ];
    let mut sources: Vec<Source> = sources
        .into_iter()
        .chain(["./composer.json", "/srv/auth.json", "COMPOSER_AUTH"])
        .filter(|_| rng.u32(..3) > 0)
        .map(|name| Source {
            name: name.to_owned(),
            is_auth: name.ends_with("auth.json") || name == "COMPOSER_AUTH",
            text: String::new(),
        })
        .collect();
    let is_tame = rng.bool();
    for source in &mut sources {
        source.text = text(rng, source.is_auth, is_tame);
    }
    Case {
        environment: environment(rng, home),
        base: pick(rng, &["/srv/project", "/", "/a b/c"]).to_owned(),
        sources,
        keys: [
            "http-basic.example.org",
            "preferred-install.a/*",
            "preferred-install.*",
            "none",
        ]
        .into_iter()
        .chain([
            "allow-plugins.a/b",
            "policy.malware",
            "audit.ignore.0",
            "preferred-install*",
        ])
        .map(str::to_owned)
        .collect(),
        urls: (0..6).map(|_| url(rng)).collect(),
        proxied: vec![
            "http://example.org/".to_owned(),
            "https://example.org/".to_owned(),
        ],
        dists: (0..6).map(|_| dist(rng)).collect(),
    }
}

const VARIABLES: &[(&str, &[&str])] = &[
    (
        "COMPOSER_HOME",
        &[
            "/opt/composer",
            "~/c",
            "",
            "0",
            "rel/home",
            "/opt/c/",
            "$HOME/c",
        ],
    ),
    (
        "COMPOSER_CACHE_DIR",
        &[
            "/var/cache/c",
            "cache",
            "",
            "0",
            "/dev/null",
            "$XDG_DATA_HOME/x",
        ],
    ),
    (
        "COMPOSER_CACHE_FILES_DIR",
        &["/f", "{$home}/f", "{$cache-dir}/{$vendor-dir}"],
    ),
    ("COMPOSER_CACHE_REPO_DIR", &["r/", "//"]),
    ("COMPOSER_CACHE_VCS_DIR", &["v"]),
    (
        "COMPOSER_VENDOR_DIR",
        &["deps", "/abs/deps/", "~/deps", "$NONE/deps", "", "/", "a b"],
    ),
    (
        "COMPOSER_BIN_DIR",
        &["bin", "{$vendor-dir}/b", "%CI%/b", "%CI/b", "${CI}"],
    ),
    ("COMPOSER_DATA_DIR", &["data"]),
    ("COMPOSER_CAFILE", &["ca.pem", "~/ca.pem", ""]),
    ("COMPOSER_CAPATH", &["/etc/ssl/certs/"]),
    (
        "COMPOSER_PROCESS_TIMEOUT",
        &["600", "0", "-5", "", "abc", "1e3", " 7"],
    ),
    (
        "COMPOSER_DISCARD_CHANGES",
        &["stash", "true", "false", "1", "0", "", "yes"],
    ),
    (
        "COMPOSER_HTACCESS_PROTECT",
        &["0", "1", "false", "true", ""],
    ),
    ("COMPOSER_CACHE_READ_ONLY", &["0", "1", "false", "true", ""]),
    (
        "COMPOSER_BIN_COMPAT",
        &["auto", "full", "proxy", "none", "", "0"],
    ),
    (
        "COMPOSER_AUDIT_ABANDONED",
        &["ignore", "report", "fail", "x", ""],
    ),
    (
        "COMPOSER_SECURITY_BLOCKING_ABANDONED",
        &["0", "1", "", "true", "x"],
    ),
    ("COMPOSER_POLICY", &["0", "1", "", "on", "x"]),
    ("XDG_CONFIG_HOME", &["", "/xdg/config", "0"]),
    ("XDG_CACHE_HOME", &["", "/xdg/cache"]),
    ("XDG_DATA_HOME", &["/xdg/data"]),
    ("XDG_SESSION", &["", "1"]),
    ("CI", &["1", "", "0"]),
];

const PROXIES: &[&str] = &[
    "http://proxy.test:3128",
    "http://proxy.test",
    "https://proxy.test",
    "HTTP://proxy.test:80/",
    "proxy.test:3128",
    "proxy.test",
    "http://u:p@proxy.test:8080",
    "http://u@proxy.test:8080",
    "u:p@proxy.test:8080",
    "socks5://proxy.test:1080",
    "socks5://proxy.test",
    "http://proxy.test:0",
    "http://u%40:p%3A@10.0.0.1:1",
    "http://[::1]:80",
    "0",
    "",
];

fn environment(rng: &mut Rng, home: &str) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    if rng.u32(..20) > 0 {
        let slash = if one_in(rng, 5) { "/" } else { "" };
        variables.push(("HOME".to_owned(), format!("{home}{slash}")));
    }
    let often = rng.u32(3..30);
    for (name, values) in VARIABLES {
        if one_in(rng, often) {
            variables.push(((*name).to_owned(), pick(rng, values).to_owned()));
        }
    }
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "CGI_HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
    ] {
        if one_in(rng, 6) {
            variables.push((name.to_owned(), pick(rng, PROXIES).to_owned()));
        }
    }
    variables
}

/// Settings with values in JSON. The first values are usual, those after `null` are odd.
const SETTINGS: &[(&str, &[&str])] = &[
    (
        "process-timeout",
        &["300", "0", "-1", "null", "\"600\"", "1.5"],
    ),
    (
        "use-include-path",
        &["true", "false", "null", "1", "\"true\""],
    ),
    (
        "allow-plugins",
        &[
            "{\"a/b\":true,\"c/*\":false}",
            "{\"c/*\":true}",
            "true",
            "false",
            "{}",
            "{\"12\":true}",
            "null",
            "[]",
            "{\"a/b\":\"x\"}",
        ],
    ),
    (
        "use-parent-dir",
        &["true", "false", "\"prompt\"", "null", "1"],
    ),
    (
        "preferred-install",
        &[
            "\"dist\"",
            "\"source\"",
            "\"auto\"",
            "{\"a/*\":\"source\",\"*\":\"dist\"}",
            "{\"b/*\":\"dist\",\"a/*\":\"auto\"}",
            "{\"*\":\"source\"}",
            "{}",
            "null",
            "true",
        ],
    ),
    (
        "audit",
        &[
            "{\"ignore\":[\"A\",\"B\"]}",
            "{\"ignore\":{\"A\":\"why\"}}",
            "{\"abandoned\":\"report\"}",
            "{\"abandoned\":\"ignore\",\"ignore\":[\"C\"]}",
            "{}",
            "{\"block-insecure\":false}",
            "{\"ignore-severity\":[\"low\"],\"ignore-unreachable\":true}",
            "null",
            "{\"abandoned\":\"x\"}",
            "{\"ignore\":\"A\"}",
        ],
    ),
    (
        "policy",
        &[
            "true",
            "false",
            "{}",
            "{\"malware\":false}",
            "{\"malware\":{\"block\":true,\"ignore\":[\"a/b\"]},\"ignore-unreachable\":true}",
            "{\"malware\":true,\"advisories\":{\"ignore-id\":{\"CVE-1\":\"why\"},\"ignore\":[\"c/d\"]}}",
            "{\"advisories\":{\"ignore-id\":[\"CVE-2\"],\"audit\":\"report\"},\"abandoned\":{\"block\":true}}",
            "{\"ignore-unreachable\":[\"audit\"]}",
            "null",
            "{\"own\":true}",
            "3",
        ],
    ),
    ("notify-on-install", &["true", "false"]),
    (
        "github-protocols",
        &[
            "[\"https\"]",
            "[\"git\",\"ssh\"]",
            "[\"ssh\",\"git\",\"https\"]",
            "[\"http\"]",
            "null",
            "\"https\"",
        ],
    ),
    (
        "vendor-dir",
        &[
            "\"vendor\"",
            "\"lib/vendor/\"",
            "\"/abs\"",
            "\"~/v\"",
            "\"$HOME/v\"",
            "\"{$home}/v\"",
            "\"\"",
            "\"vfs://x\"",
            "\"c:/x\"",
            "\"{$process-timeout}x{$lock}\"",
            "\"{$}\"",
            "\"{$none}\"",
            "\"{$allow-plugins}\"",
            "\"a{$bin-dir\"",
            "null",
            "\"a\\\\b\"",
            "1",
        ],
    ),
    (
        "bin-dir",
        &[
            "\"bin\"",
            "\"{$vendor-dir}/../bin\"",
            "\"%CI%\"",
            "\"$CI\"",
            "\"$argc/x\"",
            "\"$PHP_SELF\"",
            "null",
        ],
    ),
    (
        "cache-dir",
        &["\"/c\"", "\"{$data-dir}/c\"", "\"~\"", "\"c\""],
    ),
    ("data-dir", &["\"/d\""]),
    (
        "cache-files-dir",
        &["\"{$cache-dir}/f\"", "\"/dev/null\"", "\"f//\""],
    ),
    ("cache-ttl", &["10", "0", "-3", "null", "\"5\""]),
    ("cache-files-ttl", &["20", "0", "-4"]),
    (
        "cache-files-maxsize",
        &[
            "\"300MiB\"",
            "\"1g\"",
            "\" 2 KB \"",
            "5",
            "\"007\"",
            "\"1.5M\"",
            "\"x\"",
            "\"\"",
            "-1",
            "null",
        ],
    ),
    ("cache-read-only", &["true", "false", "null", "\"false\""]),
    (
        "bin-compat",
        &[
            "\"auto\"",
            "\"full\"",
            "\"proxy\"",
            "null",
            "\"symlink\"",
            "\"x\"",
        ],
    ),
    (
        "discard-changes",
        &["true", "false", "\"stash\"", "\"x\"", "null"],
    ),
    (
        "autoloader-suffix",
        &["\"Abc\"", "\"\"", "\"{$vendor-dir}\"", "null"],
    ),
    ("optimize-autoloader", &["true", "false"]),
    (
        "platform-check",
        &["true", "false", "\"php-only\"", "null", "\"x\""],
    ),
    (
        "github-domains",
        &[
            "[\"github.com\",\"git.test\"]",
            "[\"git.test\"]",
            "[]",
            "null",
            "\"x\"",
        ],
    ),
    (
        "gitlab-domains",
        &[
            "[\"gitlab.com\",\"lab.test\"]",
            "[\"host.test/gitlab\",\"lab.test\"]",
            "[\"\"]",
            "null",
        ],
    ),
    ("secure-http", &["true", "false", "null", "\"false\""]),
    ("disable-tls", &["true", "false", "false", "false"]),
    ("cafile", &["\"/ca.pem\"", "\"~/ca\"", "\"\""]),
    (
        "platform",
        &[
            "{\"php\":\"8.1.5\",\"ext-x\":false}",
            "{\"php\":\"8.1\"}",
            "{}",
            "null",
            "[]",
        ],
    ),
    ("lock", &["true", "false"]),
    ("use-github-api", &["true", "false"]),
    ("sort-packages", &["true"]),
    ("htaccess-protect", &["true", "false"]),
    ("bump-after-update", &["true", "\"dev\"", "false"]),
    ("allow-missing-requirements", &["true", "false"]),
    ("update-with-minimal-changes", &["true"]),
    ("source-fallback", &["false"]),
    ("unknown", &["1", "null", "{\"a\":[1,{}]}", "\"{$lock}\""]),
    ("home", &["null", "\"/other\""]),
];

const LOGINS: &[(&str, &[&str])] = &[
    (
        "http-basic",
        &[
            "{\"example.org\":{\"username\":\"u\",\"password\":\"p\"}}",
            "{\"repo.test:8080\":{\"username\":\"ü\",\"password\":\"\"}}",
            "{\"packagist.org\":{\"username\":\"a\",\"password\":\"bearer\"},\"example.org\":{\"username\":\"u\",\"password\":\"q\"}}",
            "{\"api.github.com\":{\"username\":\"a\",\"password\":\"b\"}}",
            "{}",
            "null",
            "{\"x\":{\"username\":\"u\"}}",
        ],
    ),
    (
        "github-oauth",
        &[
            "{\"github.com\":\"abc_1\"}",
            "{\"git.test\":\"abc\"}",
            "{\"api.github.com\":\"t\"}",
            "{\"github.com\":\"a-b\"}",
            "{\"other.test\":\"x y\"}",
            "{}",
            "null",
            "{\"5\":\"a\"}",
        ],
    ),
    (
        "gitlab-oauth",
        &[
            "{\"gitlab.com\":\"tok\"}",
            "{\"lab.test\":{\"token\":\"t2\"}}",
            "{\"own.test\":\"t3\"}",
        ],
    ),
    (
        "gitlab-token",
        &[
            "{\"gitlab.com\":\"tok\"}",
            "{\"lab.test\":{\"username\":\"gitlab-ci-token\",\"token\":\"t\"}}",
            "{\"lab.test\":{\"username\":\"u\",\"token\":\"gitlab-ci-token\"}}",
            "{\"host.test/gitlab\":\"x\"}",
        ],
    ),
    (
        "bearer",
        &[
            "{\"example.org\":\"b\"}",
            "{\"repo.test:8080\":\"b2\"}",
            "{}",
        ],
    ),
    (
        "bitbucket-oauth",
        &[
            "{\"bitbucket.org\":{\"consumer-key\":\"k\",\"consumer-secret\":\"s\"}}",
            "{}",
        ],
    ),
    (
        "custom-headers",
        &[
            "{\"example.org\":[\"X-A: 1\",\"X-B: 2\"]}",
            "{\"custom.test\":[]}",
            "null",
            "{\"custom.test\":[\"X: ü\"]}",
        ],
    ),
    (
        "client-certificate",
        &["{\"cert.test\":{\"local_cert\":\"/a.pem\"}}"],
    ),
    (
        "forgejo-token",
        &[
            "{\"codeberg.org\":{\"username\":\"u\",\"token\":\"t\"}}",
            "{\"forge.test\":{\"username\":\"u\",\"token\":\"t\"}}",
        ],
    ),
];

const REPOSITORIES: &[&str] = &[
    "[{\"type\":\"vcs\",\"url\":\"a\"},{\"type\":\"composer\",\"url\":\"https://repo.test\"}]",
    "[{\"packagist.org\":false}]",
    "[{\"packagist\":false},{\"type\":\"path\",\"url\":\"x\"}]",
    "{\"packagist.org\":false,\"own\":{\"type\":\"composer\",\"url\":\"https://own.test\"}}",
    "{\"packagist\":{\"type\":\"composer\",\"url\":\"https://mirror.test\"}}",
    "{\"own\":{\"type\":\"vcs\",\"url\":\"b\"},\"0\":{\"type\":\"vcs\",\"url\":\"c\"}}",
    "[{\"type\":\"composer\",\"url\":\"https://packagist.org\"}]",
    "[{\"type\":\"composer\",\"url\":\"http://x.packagist.org/\"},{\"type\":\"vcs\",\"url\":\"a\"}]",
    "[{\"type\":\"composer\",\"url\":\"https://packagist.org.test\"},false]",
    "{\"own\":false,\"7\":{\"type\":\"vcs\",\"url\":\"c\"},\"x\":{\"type\":\"vcs\",\"url\":\"c\"}}",
    "[]",
];

fn text(rng: &mut Rng, is_auth: bool, is_tame: bool) -> String {
    let mut members = Vec::new();
    let (often, auths) = (rng.u32(3..12), rng.u32(3..10));
    if !is_auth {
        members.extend(members_of(rng, SETTINGS, often, is_tame));
    }
    if is_auth || one_in(rng, 3) {
        members.extend(members_of(rng, LOGINS, auths, is_tame));
    }
    let config = format!("{{{}}}", members.join(","));
    if is_auth {
        return config;
    }
    let mut members = Vec::new();
    if rng.u32(..8) > 0 {
        members.push(format!("\"config\":{config}"));
    }
    if rng.bool() {
        members.push(format!("\"repositories\":{}", pick(rng, REPOSITORIES)));
    }
    format!("{{{}}}", members.join(","))
}

fn members_of(rng: &mut Rng, table: &[(&str, &[&str])], often: u32, is_tame: bool) -> Vec<String> {
    let mut members = Vec::new();
    for (name, values) in table {
        if !one_in(rng, often) {
            continue;
        }
        let odd = values
            .iter()
            .position(|value| *value == "null")
            .unwrap_or(values.len());
        // A single odd value makes the whole case unfamiliar.
        let upto = if is_tame || rng.u32(..40) > 0 {
            odd
        } else {
            values.len()
        };
        if upto > 0 {
            members.push(format!("\"{name}\":{}", pick(rng, &values[..upto])));
        }
    }
    rng.shuffle(&mut members);
    members
}

const URLS: &[&str] = &[
    "https://api.github.com/repos/a/b/zipball/REF",
    "https://github.com/a/b/zipball/master",
    "https://www.github.com/a/b/archive/v1.tar.gz",
    "https://GitHub.com/a/b/archive/x/y.zip",
    "https://github.com/a/b/archive/.zip",
    "https://github.com/a/b/ZIPball/x",
    "https://github.com/a/b/zipball/",
    "https://api.github.com/repos/a/b/tarball",
    "https://api.github.com/repos/a/b/tarball/",
    "https://api.github.com/repositories/1?access_token=x",
    "https://codeload.github.com/a/b/legacy.zip/x",
    "https://x.github.com.github.com/a",
    "http://github.com/a/b/zipball/x",
    "https://raw.github.com/a",
    "https://bitbucket.org/a/b/get/abc.zip",
    "https://www.bitbucket.org/a/b/get/a/b.tar.bz2",
    "https://bitbucket.org/a/b/get/.zip",
    "https://api.bitbucket.org/2.0/a",
    "https://bitbucket.org/a/b/downloads/x.zip",
    "https://gitlab.com/api/v4/projects/a%2Fb/repository/archive.zip?sha=abc",
    "https://www.gitlab.com/api/v3/projects/a/repository/archive.tar.gz?sha=abc/d",
    "https://gitlab.com/api/v4/projects/a/repository/archive.zip?sha=",
    "https://lab.test/api/v4/projects/a%2Fb/repository/archive.zip?sha=abc",
    "https://lab.test/x/api/v3/projects/a/repository/archive.tar.bz2?sha=a/b",
    "https://host.test/gitlab/api/v4/projects/1/repository/archive.zip?sha=1",
    "https://own.test/api/v4/projects/1/repository/archive.zip?sha=1",
    "https://git.test/api/v3/repos/a/b/zipball/abc",
    "https://git.test/repos/repos/repos/b/tarball",
    "https://git.test/repos/a/b/zipball/",
    "https://example.org/a.zip",
    "https://example.org:443/a.zip?x=%20#f",
    "http://example.org/a.zip",
    "http://EXAMPLE.org/a.zip",
    "http://under_score.test/a.zip",
    "https://repo.test:8080/a.zip",
    "https://repo.packagist.org/p.zip",
    "https://custom.test/a",
    "https://cert.test/a",
    "https://codeberg.org/a",
    "https://forge.test/a",
    "https://u:p%40@example.org/a.zip",
    "https://u@example.org/a.zip",
    "https://tok:x-oauth-basic@github.com/a/b/zipball/x",
    "https://tok:x-oauth-basic@git.test/a",
    "https://example.org/a@b.zip",
    "https://example.org:80?x@y/z",
    "HTTPS://example.org/a",
    "https://[::1]/a",
    "https://example.org:0/a",
    "https://exämple.org/a",
    "https://example.org/a b",
];

fn url(rng: &mut Rng) -> String {
    pick(rng, URLS).to_owned()
}

const MIRRORS: &[&str] = &[
    "null",
    "null",
    "[]",
    "[{\"url\":\"https://m.test/%package%/%version%/%reference%.%type%\",\"preferred\":true}]",
    "[{\"url\":\"https://m.test/%prettyVersion%/r%reference%\",\"preferred\":false},{\"url\":\"https://n.test/%package%\",\"preferred\":true},{\"url\":\"https://n.test/%package%\",\"preferred\":false}]",
    "[{\"url\":\"https://m.test/%normalizedVersion%\",\"preferred\":true}]",
];

fn dist(rng: &mut Rng) -> DistCase {
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let url = match rng.u32(..6) {
        0 => "https://d.test/%package%/%version%-%reference%.%type%?%prettyVersion%".to_owned(),
        1 => "https://d.test/a%2Fb".to_owned(),
        _ => url(rng),
    };
    let references = [
        hash,
        "master",
        "feature/x",
        "",
        "0",
        "a-b_c.1",
        "%reference%",
        "$1\\2",
    ];
    let reference = (rng.u32(..6) > 0).then(|| pick(rng, &references).to_owned());
    DistCase {
        name: pick(rng, &["a/b", "vendor/name.x", "a/b~c"]).to_owned(),
        version: pick(rng, &["1.0.0.0", "dev-main", "dev-feature/x"]).to_owned(),
        pretty: pick(rng, &["1.0", "dev-main", "dev-feature/x"]).to_owned(),
        url,
        reference,
        mirrors: Json::parse(pick(rng, MIRRORS)).unwrap(),
    }
}

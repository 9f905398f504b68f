//! Makes up locks and manifests, half of them odd.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::asked::Job;

const NAMES: [&str; 12] = [
    "a/a",
    "a/b",
    "b/a-b",
    "b/a--b",
    "b/a_b",
    "b/a.b",
    "php",
    "ext-json",
    "lib-icu",
    "1/2",
    "composer-runtime-api",
    "10/a",
];

const ODD_NAMES: [&str; 6] = ["A/C", "Php-64bit", "a/b.json", "1", "1.5", "x"];

const CONSTRAINTS: [&str; 25] = [
    "*",
    "^1.0",
    "~2.1.3",
    "1.0 || 2.0",
    "1.0||2.0",
    "1.0|2.0",
    ">=1 <2",
    ">=1,<2",
    "self.version",
    "dev-main",
    "dev-main#abc",
    "1.x-dev",
    "1.*",
    "1.0 - 2.0",
    "!=1.5",
    "1.0@dev",
    "@stable",
    "dev-main as 1.0",
    "dev-main as 1.0 || ^2.0",
    "1.0@beta || 2.0-alpha1",
    "2.0-alpha1 || 1.0@beta",
    "1.10",
    "1.9",
    "2020.1",
    "v1",
];

const VERSIONS: [&str; 19] = [
    "1.0.0",
    "v2.3",
    "1",
    "1.2.3.4",
    "dev-main",
    "dev-feature/x",
    "1.x-dev",
    "v1.x-dev",
    "2.0.x-dev",
    "1.0-dev",
    "1.0.0-beta2",
    "1.0RC1",
    "1.0.0-alpha.1",
    "1.0-p1",
    "20200101",
    "2020.01.02",
    "1.0.0+build",
    "v1.0.0-stable",
    "master",
];

const ODD_VERSIONS: [&str; 6] = ["1.0.0.0.0", "x", "dev-MAIN", "01.2", "20100102.5.3", "1.0 "];

const TIMES: [&str; 7] = [
    "2020-01-02T03:04:05+00:00",
    "2020-01-02T03:04:05+02:00",
    "2020-01-02 03:04:05",
    "2020-01-02",
    "2020-01-02T03:04:05Z",
    "1577934245",
    "2020-01-02T03:04:05-08:30",
];

const ODD_TIMES: [&str; 9] = [
    "0",
    "2020-02-30",
    "yesterday",
    "2020-01-02T03:04:05.123456Z",
    "2020-01-02T24:00:00",
    "2020-1-2",
    "20200102",
    "2020-13-01",
    "@5",
];

const KEYS: [&str; 32] = [
    "source",
    "dist",
    "require",
    "conflict",
    "provide",
    "replace",
    "require-dev",
    "suggest",
    "time",
    "extra",
    "default-branch",
    "abandoned",
    "keywords",
    "type",
    "target-dir",
    "bin",
    "license",
    "scripts",
    "archive",
    "description",
    "homepage",
    "notification-url",
    "autoload",
    "autoload-dev",
    "include-path",
    "php-ext",
    "authors",
    "support",
    "funding",
    "transport-options",
    "unknown",
    "version_normalized",
];

/// Makes up an installation.
pub fn job(random: &mut Rng) -> Job {
    let is_odd = random.bool();
    Maker { random, is_odd }.job()
}

struct Maker<'a> {
    random: &'a mut Rng,
    is_odd: bool,
}

impl Maker<'_> {
    fn job(&mut self) -> Job {
        let mut packages = Vec::new();
        for name in ["p/one", "P/Two", "p/three", "10/x", "p/four"] {
            if self.one_in(2) {
                packages.push(self.entry(name));
            }
        }
        let dev = packages.split_off(self.random.usize(..=packages.len()));
        let lock = json!({"packages": packages, "packages-dev": dev, "aliases": []});
        let mut manifest = json!({});
        for key in [
            "require",
            "require-dev",
            "replace",
            "provide",
            "extra",
            "type",
            "bin",
        ] {
            if self.one_in(3) {
                manifest[key] = self.value(key);
            }
        }
        if self.one_in(2) {
            let name = self.pick(&["root/root", "root/r--t"], &["Root/Root", "root", "p/one"]);
            manifest["name"] = name;
        }
        if self.one_in(3) {
            manifest["version"] = self.pick(&VERSIONS, &ODD_VERSIONS);
        }
        if self.one_in(3) {
            let stabilities = ["dev", "RC", "rc", "Stable", "beta"];
            manifest["minimum-stability"] = self.pick(&stabilities, &["odd"]);
        }
        let guesses = [
            ["1.0.0.0", "1.0.0"],
            ["dev-main", "dev-main"],
            ["1.9999999.9999999.9999999-dev", "1.x-dev"],
        ];
        let guess = guesses[self.random.usize(..guesses.len())];
        let environments = ["", "0", "1.0", "1.2-DEV", "dev-x", "2-dev", "1.2-beta-dev"];
        let environment = environments[self.random.usize(..environments.len())];
        Job {
            dev: self.one_in(2),
            source: if self.one_in(2) { "dist" } else { "source" }.to_owned(),
            guessed: self
                .one_in(2)
                .then(|| [guess[0], guess[1], "c0ffee"].map(str::to_owned)),
            environment: self.one_in(4).then(|| environment.to_owned()),
            ..Job::new(&lock.to_string(), &manifest.to_string())
        }
    }

    fn entry(&mut self, name: &str) -> Value {
        let mut entry = json!({"name": name, "version": self.pick(&VERSIONS, &ODD_VERSIONS)});
        for key in KEYS {
            if self.one_in(4) {
                entry[key] = self.value(key);
            }
        }
        entry
    }

    fn value(&mut self, key: &str) -> Value {
        if self.odd() {
            return self.any();
        }
        match key {
            "source" | "dist" => self.place(),
            "require" | "conflict" | "provide" | "replace" | "require-dev" | "suggest" => {
                self.links()
            }
            "time" => self.pick(&TIMES, &ODD_TIMES),
            "version_normalized" => self.pick(&["1.0.0.0", "9999999-dev", "dev-main"], &[""]),
            "extra" => {
                let mut aliases = Map::new();
                let targets = [
                    "1.x-dev",
                    "1.0-dev",
                    "2.0.x-dev",
                    "9999999-dev",
                    "dev-x",
                    "1.0",
                    "2.0.5-dev",
                    "v3.x-dev",
                    "1.2.3.4-dev",
                ];
                for _ in 0..self.random.usize(..4) {
                    let from = VERSIONS[self.random.usize(..VERSIONS.len())];
                    aliases.insert(from.to_owned(), self.pick(&targets, &["-dev", ""]));
                }
                json!({"branch-alias": aliases})
            }
            "default-branch" | "abandoned" => json!(self.one_in(2)),
            "keywords" => {
                let words = ["a", "B", "10", "9", "2fa", "é", "b"];
                let odd = ["1e1", " 3", "-1", "1.0", "01", "1"];
                (0..self.random.usize(..4))
                    .map(|_| self.pick(&words, &odd))
                    .collect()
            }
            "type" => self.pick(
                &["library", "Metapackage", "composer-plugin", "x"],
                &["", "0"],
            ),
            "target-dir" => self.pick(&["A", "/A/B", "A/"], &["a/../b", "./a", "a\\b", ""]),
            "bin" => self.pick(&["bin/a", "/b"], &["../c", "d/..", ""]),
            "include-path" => json!(["lib/", ""]),
            "license" => self.pick(&["MIT"], &["", "0"]),
            "scripts" => json!({"a": "b", (self.text(&["a", "b"], &["php"])): ["c"]}),
            "archive" => json!({"name": "a", "exclude": self.any_list()}),
            "description" | "homepage" | "notification-url" => {
                self.pick(&["https://a", "", "0"], &["\u{0}"])
            }
            "unknown" => self.any(),
            _ => self.any_list(),
        }
    }

    fn any_list(&mut self) -> Value {
        match self.random.u32(..4) {
            0 => json!({"a": self.any()}),
            1 => json!({(self.text(&["0", "1", "a"], &["00", "-1"])): {}, "1": [{}]}),
            2 => json!([]),
            _ => json!({}),
        }
    }

    fn links(&mut self) -> Value {
        let mut map = Map::new();
        for _ in 0..self.random.usize(..4) {
            let name = self.text(&NAMES, &ODD_NAMES);
            let constraint = if self.odd() {
                self.any()
            } else {
                self.pick(
                    &CONSTRAINTS,
                    &["", "not a version", "1 as 2 as 3", "1.0.0.0.0"],
                )
            };
            map.insert(name, constraint);
        }
        Value::Object(map)
    }

    fn place(&mut self) -> Value {
        let mut place = json!({"type": "zip", "url": "https://example.org/a.zip",
            "reference": "abc"});
        for key in ["type", "url", "reference", "shasum", "mirrors"] {
            if self.odd() {
                place[key] = self.any();
            }
        }
        place
    }

    /// Returns a value that stands where others are expected.
    fn any(&mut self) -> Value {
        match self.random.u32(..14) {
            0 => json!(null),
            1 => json!(true),
            2 => json!(false),
            3 => json!(0),
            4 => json!(7),
            5 => json!(1.5),
            6 => json!(""),
            7 => json!("0"),
            8 => json!("text"),
            9 => json!([]),
            10 => json!({}),
            11 => json!(["a", "b"]),
            12 => json!({"a": "b"}),
            _ => json!([{"a": [1, null]}]),
        }
    }

    fn pick(&mut self, plain: &[&str], odd: &[&str]) -> Value {
        json!(self.text(plain, odd))
    }

    fn text(&mut self, plain: &[&str], odd: &[&str]) -> String {
        let texts = if self.odd() { odd } else { plain };
        texts[self.random.usize(..texts.len())].to_owned()
    }

    fn odd(&mut self) -> bool {
        self.is_odd && self.random.u32(..24) == 0
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.random.u32(..count) == 0
    }
}

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Directories;

fn nothing(_: &str) -> Option<String> {
    None
}

fn config<'e>(text: &str, environment: &'e dyn Fn(&str) -> Option<String>) -> Config<'e> {
    let [home, cache, data] = ["/h", "/c", "/d"].map(str::to_owned);
    let directories = Directories { home, cache, data };
    let mut config = Config::new(Release::NEWEST, environment, "/p", &directories);
    let json = format!("{{\"config\":{text}}}");
    config.merge(&Json::parse(&json).unwrap(), "file").unwrap();
    config
}

#[test]
fn archives_are_cached_unless_the_cache_is_off() {
    let root = |text: &str| ArchiveCache::of(&config(text, &nothing)).unwrap();
    let plain = ArchiveCache {
        root: "/c/files/".to_owned(),
        is_writable: true,
    };
    assert_eq!(root("{}"), Some(plain.clone()));
    let read_only = root("{\"cache-read-only\":true}").unwrap();
    assert!(!read_only.is_writable);
    for off in [
        "{\"cache-files-ttl\":0}",
        "{\"cache-ttl\":-1}",
        "{\"cache-dir\":\"/dev/null\"}",
        "{\"cache-files-dir\":\"/dev/null\"}",
        "{\"cache-files-dir\":\"/a//dev/null/x\"}",
        "{\"cache-files-dir\":\"a/nul/b\"}",
    ] {
        assert_eq!(root(off), None, "{off}");
    }
    assert!(root("{\"cache-files-dir\":\"/a/dev/null\"}").is_some());
    assert!(root("{\"cache-files-dir\":\"/a/null\"}").is_some());

    let url = DistUrl {
        base: String::new(),
        processed: String::new(),
        cache_key: cache_key("a/b~c", "https://example.org/", "zip"),
    };
    let digest = allegro_base::hex::hex(&Sha1::digest(b"https://example.org/"));
    assert_eq!(plain.path(&url), format!("/c/files/a/b-c/{digest}.zip"));
}

#[test]
fn certificates_are_those_of_the_configuration_or_of_the_system() {
    let choose = |text: &str, variable: &str, ini: &str, existing: &[(&str, Found)]| {
        let environment = |name: &str| {
            let value = variable.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.to_owned())
        };
        let look = |path: &str| {
            let found = existing.iter().find(|(known, _)| *known == path);
            found.map_or(Found::Nothing, |(_, found)| *found)
        };
        let probe = CertificateProbe {
            ini_cafile: ini,
            ini_capath: "",
            look: &look,
        };
        Certificates::choose(&config(text, &nothing), &environment, &probe)
    };
    let file = |path: &str| Certificates {
        file: Some(path.to_owned()),
        directory: None,
    };
    let system = [
        ("/etc/ssl/certs/ca-certificates.crt", Found::File),
        ("/etc/ssl/certs", Found::Directory),
        ("/own", Found::File),
    ];
    let usual = file("/etc/ssl/certs/ca-certificates.crt");
    assert_eq!(choose("{}", "", "", &system), Ok(usual.clone()));
    assert_eq!(
        choose("{}", "SSL_CERT_FILE=/own", "", &system),
        Ok(file("/own"))
    );
    assert_eq!(choose("{}", "SSL_CERT_FILE=/none", "", &system), Ok(usual));
    assert_eq!(choose("{}", "", "/own", &system), Ok(file("/own")));
    assert_eq!(
        choose("{\"cafile\":\"/own\"}", "", "", &system),
        Ok(file("/own"))
    );
    assert!(choose("{\"cafile\":\"/none\"}", "", "", &system).is_err());
    assert!(choose("{\"capath\":\"/own\"}", "", "", &system).is_err());
    let directory = Certificates {
        file: None,
        directory: Some("/etc/ssl/certs".to_owned()),
    };
    assert_eq!(choose("{}", "", "", &system[1..]), Ok(directory.clone()));
    let chosen = choose("{\"capath\":\"/etc/ssl/certs\"}", "", "", &system);
    assert_eq!(chosen, Ok(directory));
    assert!(choose("{}", "", "", &[]).is_err());
}

#[test]
fn a_package_may_bring_headers() {
    let access = |url: &str, options: &str| {
        let options = Json::parse(options).unwrap();
        let mut config = config("{\"bearer\":{\"example.org\":\"b\"}}", &nothing);
        Access::new(&mut config)
            .unwrap()
            .request(url, Some(&options))
    };
    let url = "https://example.org/a.zip";
    let headers = |options: &str| access(url, options).map(|request| request.headers).ok();
    let bearer = "Authorization: Bearer b".to_owned();
    assert_eq!(headers("{}"), Some(vec![bearer.clone()]));
    assert_eq!(headers("[]"), Some(vec![bearer.clone()]));
    let own = "{\"http\":{\"header\":[\"X: 1\"]}}";
    assert_eq!(headers(own), Some(vec!["X: 1".to_owned(), bearer]));
    for odd in [
        "{\"http\":{\"header\":\"X: 1\"}}",
        "{\"http\":{\"method\":\"POST\"}}",
        "{\"ssl\":{\"verify_peer\":false}}",
        "{\"ssl\":{}}",
    ] {
        assert_eq!(headers(odd), None, "{odd}");
    }
}

#[test]
fn credentials_of_a_url_go_into_a_header_and_hold_for_its_host() {
    let mut config = config("{}", &nothing);
    let mut access = Access::new(&mut config).unwrap();
    let request = access
        .request("https://u:p%40@example.org/a.zip", None)
        .unwrap();
    assert_eq!(request.url, "https://example.org/a.zip");
    assert_eq!(request.headers, ["Authorization: Basic dTpwQA=="]);
    assert!(!format!("{request:?} {access:?}").contains("dTpwQA"));
    let next = access.headers("https://example.org/b.zip").unwrap();
    assert_eq!(next, request.headers);
    assert!(
        access
            .headers("https://example.com/b.zip")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn plain_http_needs_a_setting_and_gives_one_warning() {
    let url = "http://example.org/a.zip";
    let mut secure = Access::new(&mut config("{}", &nothing)).unwrap();
    assert!(secure.request(url, None).is_err());
    let mut config = config("{\"secure-http\":false}", &nothing);
    let mut access = Access::new(&mut config).unwrap();
    assert!(access.request(url, None).unwrap().warning.is_some());
    assert!(access.request(url, None).unwrap().warning.is_none());
}

#[test]
fn all_requests_share_what_the_environment_says() {
    let environment = |name: &str| {
        let value = match name {
            "https_proxy" => "http://proxy.test:3128",
            "NO_PROXY" => "localhost",
            "COMPOSER_DISABLE_NETWORK" | "CI" => "1",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let config = config("{\"platform\":{\"PHP\":\"8.1\"}}", &environment);
    let agent = Agent {
        composer: "2.10.2",
        system: "Linux",
        system_release: "6.1",
        php: "8.2.7",
        client: "streams",
        command: Some("install"),
    };
    let probe = CertificateProbe {
        ini_cafile: "/ca.pem",
        ini_capath: "",
        look: &|_| Found::File,
    };
    let setup = HttpSetup::new(&config, &environment, &agent, &probe).unwrap();
    assert_eq!(
        setup.user_agent,
        "Composer/2.10.2 (Linux; 6.1; PHP 8.2.7; streams; Platform-PHP 8.1.0; CI; cmd:install)"
    );
    assert_eq!(
        setup.proxies.https.as_deref(),
        Some("http://proxy.test:3128")
    );
    assert_eq!(setup.proxies.http, None);
    assert_eq!(setup.proxies.no_proxy, "localhost");
    assert!(setup.secure_http && setup.is_offline);
}

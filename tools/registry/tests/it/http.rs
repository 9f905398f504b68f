//! What the server answers when nothing is wrong, over every kind of connection.

use std::sync::Arc;

use allegro_registry::{Auth, AuthRule, Credentials, Json, Server, ServerOptions};
use reqwest::{Client, ClientBuilder, StatusCode, Version};

use crate::support::{dist_path, serve, small};

pub(crate) fn client() -> ClientBuilder {
    // Several tests of this process may come here first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

#[test]
fn metadata_names_dists_that_can_be_downloaded() {
    let catalog = small();
    let server = serve(&catalog);
    wait(async {
        let client = client().build().unwrap();
        let get = async |url: String| client.get(url).send().await.unwrap();
        let root = get(format!("{}/packages.json", server.base_url()))
            .await
            .text()
            .await
            .unwrap();
        let root = allegro_registry::parse_json(&root, "root").unwrap();
        assert_eq!(root.items_at("available-packages").len(), 12);
        for name in root.items_at("available-packages") {
            let name = name.as_str().unwrap();
            let page = get(format!("{}/p2/{name}.json", server.base_url()))
                .await
                .text()
                .await
                .unwrap();
            let page = allegro_registry::parse_json(&page, "page").unwrap();
            let versions = page.get("packages").unwrap().items_at(name).to_vec();
            let dist = versions[0].get("dist").unwrap();
            let bytes = get(dist.str_at("url").unwrap().to_owned())
                .await
                .bytes()
                .await
                .unwrap();
            let package = catalog
                .find(name, dist.str_at("reference").unwrap())
                .unwrap();
            let archive = catalog.archive(package, package.format).unwrap();
            assert_eq!(bytes, archive.bytes().unwrap());
        }
        for path in [
            "/p2/no/such.json",
            "/dist/no/such.zip",
            "/dist/x",
            "/",
            "/_redirected/x/packages.json",
        ] {
            let answer = get(format!("{}{path}", server.base_url())).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    });
    let log = server.log();
    assert_eq!(log.len(), 1 + 12 * 2 + 5);
    let zip = log
        .iter()
        .find(|entry| entry.path.ends_with(".zip"))
        .unwrap();
    assert!(zip.bytes > 1000 && zip.status == 200 && zip.method == "GET" && !zip.credentials);
    assert!(zip.took_ms > 0.0 && zip.at_ms > 0.0 && zip.http_version == "HTTP/1.1");
    assert!(server.connections() >= 1);
}

#[test]
fn unchanged_metadata_is_not_sent_twice() {
    let server = serve(&small());
    wait(async {
        let client = client().build().unwrap();
        let url = format!("{}/packages.json", server.base_url());
        let first = client.get(&url).send().await.unwrap();
        let date = first.headers()["last-modified"].clone();
        let again = client
            .get(&url)
            .header("if-modified-since", date)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(again.bytes().await.unwrap().is_empty());
    });
    assert!(server.log()[1].conditional);
}

#[test]
fn head_and_other_methods() {
    let catalog = small();
    let server = serve(&catalog);
    let url = format!("{}{}", server.base_url(), dist_path(&catalog, 0));
    wait(async {
        let client = client().build().unwrap();
        let head = client.head(&url).send().await.unwrap();
        let package = &catalog.packages()[0];
        let length = catalog.archive(package, package.format).unwrap().len();
        assert_eq!(head.headers()["content-length"], length.to_string());
        assert_eq!(
            client.post(&url).send().await.unwrap().status(),
            StatusCode::METHOD_NOT_ALLOWED
        );
    });
}

#[test]
fn tls_with_either_protocol_and_only_for_those_who_trust_it() {
    let catalog = small();
    let options = ServerOptions {
        tls: true,
        ..ServerOptions::default()
    };
    let server = Server::start(Arc::clone(&catalog), options).unwrap();
    assert!(server.base_url().starts_with("https://127.0.0.1:"));
    let pem = std::fs::read(server.ca_file().unwrap()).unwrap();
    let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
    wait(async {
        for (origin, http1) in [
            (server.base_url(), false),
            (server.base_url(), true),
            (server.other_url(), false),
        ] {
            let mut builder = client().tls_certs_only([certificate.clone()]);
            if http1 {
                builder = builder.http1_only();
            }
            let url = format!("{origin}{}", dist_path(&catalog, 0));
            let answer = builder.build().unwrap().get(url).send().await.unwrap();
            assert_eq!(
                answer.version(),
                if http1 {
                    Version::HTTP_11
                } else {
                    Version::HTTP_2
                }
            );
            assert!(answer.bytes().await.unwrap().len() > 1000);
        }
        let stranger = client().tls_certs_only([]).build().unwrap();
        assert!(stranger.get(server.base_url()).send().await.is_err());
    });
    let log = server.log();
    assert_eq!(
        log.iter()
            .map(|entry| entry.http_version.as_str())
            .collect::<Vec<_>>(),
        ["HTTP/2.0", "HTTP/1.1", "HTTP/2.0"]
    );
    assert_eq!(
        log.iter()
            .map(|entry| entry.other_origin)
            .collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn http2_without_tls_and_many_requests_on_one_connection() {
    let catalog = small();
    let server = serve(&catalog);
    wait(async {
        let client = client().http2_prior_knowledge().build().unwrap();
        let mut running = Vec::new();
        for number in 0..catalog.packages().len() {
            let url = format!("{}{}", server.base_url(), dist_path(&catalog, number));
            let client = client.clone();
            running.push(tokio::spawn(async move {
                client
                    .get(url)
                    .send()
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap()
                    .len()
            }));
        }
        for one in running {
            assert!(one.await.unwrap() > 1000);
        }
    });
    assert_eq!(server.connections(), 1);
    assert!(
        server
            .log()
            .iter()
            .all(|entry| entry.http_version == "HTTP/2.0" && entry.connection == 1)
    );
}

#[test]
fn only_the_right_credentials_pass_and_none_is_logged() {
    let catalog = small();
    let server = serve(&catalog);
    let path = dist_path(&catalog, 0);
    let basic = Credentials::Basic {
        user: "me".to_owned(),
        password: "s3cret".to_owned(),
    };
    let header = Credentials::Header {
        name: "PRIVATE-TOKEN".to_owned(),
        value: "s3cret".to_owned(),
    };
    let bearer = Credentials::Bearer("s3cret".to_owned());
    wait(async {
        let client = client().build().unwrap();
        for (credentials, status, kind) in [
            (basic, 401, "basic"),
            (header, 404, "private-token"),
            (bearer, 403, "bearer"),
        ] {
            let auth = Auth {
                credentials,
                status,
            };
            server.set_auth(vec![AuthRule {
                path: "/dist/*".to_owned(),
                auth,
            }]);
            server.clear_log();
            let ask = || client.get(format!("{}{path}", server.base_url()));
            let with = |secret: &str| match kind {
                "basic" => ask().basic_auth("me", Some(secret)),
                "bearer" => ask().bearer_auth(secret),
                _ => ask().header("private-token", secret),
            };
            let none = ask().send().await.unwrap();
            assert_eq!(none.status().as_u16(), status);
            assert_eq!(
                none.headers().contains_key("www-authenticate"),
                status == 401
            );
            assert_eq!(
                with("wrong").send().await.unwrap().status().as_u16(),
                status
            );
            assert_eq!(
                with("s3cret").send().await.unwrap().status(),
                StatusCode::OK
            );
            let open = client
                .get(format!("{}/packages.json", server.base_url()))
                .send()
                .await
                .unwrap();
            assert_eq!(open.status(), StatusCode::OK);
            let log = server.log();
            let kinds: Vec<_> = log.iter().map(|entry| entry.auth.as_deref()).collect();
            assert_eq!(kinds, [None, Some(kind), Some(kind), None]);
            assert!(log[1].credentials && !log[0].credentials);
            assert!(!format!("{log:?}").contains("s3cret"));
        }
    });
}

#[test]
fn the_log_file_has_a_line_for_each_request() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log.jsonl");
    let catalog = small();
    let options = ServerOptions {
        log_file: Some(file.clone()),
        ..ServerOptions::default()
    };
    let mut server = Server::start(Arc::clone(&catalog), options).unwrap();
    let url = format!("{}{}", server.base_url(), dist_path(&catalog, 1));
    wait(async {
        let ask = client().build().unwrap().get(url).bearer_auth("s3cret");
        ask.send().await.unwrap().bytes().await.unwrap();
    });
    server.stop();
    let text = std::fs::read_to_string(&file).unwrap();
    let line = allegro_registry::parse_json(text.trim_end(), "line").unwrap();
    assert_eq!(line.get("status"), Some(&Json::Int(200)));
    assert_eq!(line.str_at("auth"), Some("bearer"));
    assert!(matches!(line.get("bytes"), Some(Json::Int(bytes)) if *bytes > 1000));
    assert!(!text.contains("s3cret"));
}

#[test]
fn a_stopped_server_is_gone() {
    let mut server = serve(&small());
    let address = server.base_url().trim_start_matches("http://").to_owned();
    std::net::TcpStream::connect(&address).unwrap();
    server.stop();
    let refused = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::net::TcpStream::connect(&address).is_err()
    });
    assert!(refused);
}

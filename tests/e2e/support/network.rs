//! Provides the common parts of tests about credentials and ways through the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_registry::{AuthRule, Catalog, Credentials, GenSpec, Json, LogEntry, ServerOptions};

use super::{Call, Outcome, Scene, SceneOptions, Side, same_tree, skipped};

/// The number of packages of a scene. There are few, because each scenario costs two runs.
pub const PACKAGES: usize = 4;

/// Returns a small scene whose server speaks http or https.
pub fn scene(server: ServerOptions) -> Option<Scene> {
    scene_of(PACKAGES, server)
}

/// Returns a scene of one package over http, for tests in which the order of several packages would
/// matter.
pub fn single() -> Option<Scene> {
    scene_of(1, ServerOptions::default())
}

/// Returns a scene with this number of packages.
pub fn scene_of(packages: usize, server: ServerOptions) -> Option<Scene> {
    let options = SceneOptions {
        server,
        ..SceneOptions::default()
    };
    Scene::with(Catalog::generated(&GenSpec::custom(packages)), options)
}

/// Returns the number of packages of a scene.
pub fn count(scene: &Scene) -> usize {
    scene.server.catalog().packages().len()
}

/// Returns a scene over https.
pub fn https() -> Option<Scene> {
    scene(tls())
}

/// Returns a scene of one package over https. For several packages that can't be downloaded,
/// Composer would pause between the attempts of each.
pub fn https_single() -> Option<Scene> {
    scene_of(1, tls())
}

fn tls() -> ServerOptions {
    ServerOptions {
        tls: true,
        ..ServerOptions::default()
    }
}

/// Lets the project trust the registry's own authority.
pub fn trust_registry(scene: &Scene) {
    let file = scene.server.ca_file().expect("a registry with TLS");
    let file = Json::str(file.display().to_string());
    scene.edit_manifest(|manifest| manifest.child("config").set("cafile", file));
}

/// Returns `host:port` of the registry, as `auth.json` names it.
pub fn host(scene: &Scene) -> String {
    scene.server.addresses()[0].to_string()
}

/// Parses JSON from text in which `HOST` stands for the registry.
pub fn json(scene: &Scene, text: &str) -> Json {
    allegro_registry::parse_json(&text.replace("HOST", &host(scene)), "a test's JSON")
        .expect("JSON")
}

/// Writes the project's `auth.json`.
pub fn auth_json(scene: &Scene, text: &str) {
    let text = json(scene, text).to_file_text();
    fs::write(scene.project().join("auth.json"), text).expect("auth.json");
}

/// Changes every package of the project's lock.
pub fn edit_packages(scene: &Scene, mut edit: impl FnMut(&mut Json)) {
    let path = scene.project().join("composer.lock");
    let mut lock = allegro_registry::read_json(&path).expect("the lock");
    for key in ["packages", "packages-dev"] {
        if let Some(Json::Array(packages)) = lock.get_mut(key) {
            packages.iter_mut().for_each(&mut edit);
        }
    }
    fs::write(&path, lock.to_file_text()).expect("the lock");
}

/// Sets `transport-options` of every package, as a lock has the `options` of a repository.
pub fn transport_options(scene: &Scene, options: &Json) {
    edit_packages(scene, |package| {
        package.set("transport-options", options.clone());
    });
}

/// Moves every dist to another origin (scheme, perhaps credentials, host, perhaps port).
pub fn move_dists(scene: &Scene, origin: &str) {
    let base = scene.server.base_url().to_owned();
    edit_packages(scene, |package| {
        let dist = package.child("dist");
        let url = dist.str_at("url").expect("a URL").replace(&base, origin);
        dist.set("url", Json::str(url));
    });
}

/// Makes the server require these credentials for archives.
pub fn demand(scene: &Scene, credentials: Credentials) {
    scene
        .server
        .set_auth(vec![AuthRule::new("/dist/*", credentials)]);
}

/// Returns the requests for archives since the log was cleared, including redirected ones.
pub fn dist_requests(scene: &Scene) -> Vec<LogEntry> {
    let log = scene.server.log();
    log.into_iter()
        .filter(|entry| entry.path.contains("/dist/"))
        .collect()
}

/// Returns whether a request is Allegro's own. Composer's user agent names curl, and Allegro's
/// doesn't.
pub fn is_native(user_agent: &str) -> bool {
    user_agent.starts_with("Composer/") && user_agent.contains("; streams")
}

/// The result of one side.
#[derive(Debug)]
pub struct Played {
    /// Exit code, output and tree.
    pub outcome: Outcome,
    /// Requests of the side for archives.
    pub requests: Vec<LogEntry>,
}

/// Plays one side with a project that is written anew and arranged, and with empty caches and an
/// empty store.
#[track_caller]
pub fn play<'a>(
    scene: &'a Scene,
    side: Side,
    arrange: &dyn Fn(&'a Scene, Call<'a>) -> Call<'a>,
) -> Played {
    scene.forget_cache(side);
    scene.forget_store();
    scene.write_project();
    let call = arrange(scene, scene.call(side, &["install", "-vv"]));
    scene.server.clear_log();
    Played {
        outcome: scene.outcome(&call),
        requests: dist_requests(scene),
    }
}

/// The start of the names of files into which Composer downloads. An object's number in PHP
/// follows. Composer leaves such a file if the download fails.
const LEFT_BY_COMPOSER: &str = "vendor/composer/tmp-";

/// Plays both sides, which must end alike.
#[track_caller]
pub fn both<'a>(
    what: &str,
    scene: &'a Scene,
    arrange: &dyn Fn(&'a Scene, Call<'a>) -> Call<'a>,
) -> (Played, Played) {
    let mut plain = play(scene, Side::Serial, arrange);
    let mut ours = play(scene, Side::Allegro, arrange);
    for played in [&mut plain, &mut ours] {
        played.outcome.tree = played.outcome.tree.with_numbered(LEFT_BY_COMPOSER);
    }
    same_tree(what, &plain.outcome, &ours.outcome);
    (plain, ours)
}

/// Plays both sides. The install succeeds, with one native request for each archive and each
/// redirect. The request carries the same kind of credentials as Composer's own last request for
/// it.
#[track_caller]
pub fn fetched_natively<'a>(
    what: &str,
    scene: &'a Scene,
    arrange: &dyn Fn(&'a Scene, Call<'a>) -> Call<'a>,
) -> (Played, Played) {
    let (plain, ours) = both(what, scene, arrange);
    let said = &ours.outcome.run.stderr;
    assert_eq!(ours.outcome.run.exit, 0, "{what}: {said}");
    assert!(!said.contains("by itself"), "{what}: {said}");
    assert_eq!(
        Scene::origins(&ours.outcome.run),
        (0, 0, count(scene)),
        "{what}: {said}"
    );
    for entry in &plain.requests {
        assert!(!is_native(&entry.user_agent), "{what}: {entry:?}");
    }
    for entry in &ours.requests {
        assert!(is_native(&entry.user_agent), "{what}: {entry:?}");
        assert!(entry.status < 400, "{what}: {entry:?}");
    }
    let kinds = |requests: &[LogEntry]| {
        let mut kinds: Vec<_> = requests
            .iter()
            .filter(|entry| entry.status < 400)
            .map(|entry| (entry.path.clone(), entry.other_origin, entry.auth.clone()))
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&plain.requests), kinds(&ours.requests), "{what}");
    (plain, ours)
}

/// Plays both sides, which end alike. Allegro leaves all archives to Composer and gives this reason
/// with `-vv`. The scene has one package, because chance decides the order in which Composer
/// finishes several.
#[track_caller]
pub fn left_to_composer<'a>(
    what: &str,
    scene: &'a Scene,
    reason: &str,
    arrange: &dyn Fn(&'a Scene, Call<'a>) -> Call<'a>,
) -> (Played, Played) {
    let (plain, ours) = both(what, scene, arrange);
    let said = &ours.outcome.run.stderr;
    let reasons = said
        .lines()
        .filter(|line| line.contains("by itself: ") && line.contains(reason))
        .count();
    assert_eq!(reasons, count(scene), "{what}: {said}");
    assert_eq!(
        Scene::origins(&ours.outcome.run),
        (0, 0, 0),
        "{what}: {said}"
    );
    (plain, ours)
}

/// Writes the files of a client's certificate: all in one file, in separate files, and in separate
/// encrypted files.
pub fn certificate_files(scene: &Scene) -> Option<String> {
    let dir = scene.dir().join("client");
    fs::create_dir_all(&dir).expect("a directory");
    let (chain, key) = scene
        .server
        .client_certificate()
        .expect("a certificate")
        .expect("a server with TLS");
    fs::write(dir.join("cert.pem"), &chain).expect("written");
    fs::write(dir.join("key.pem"), &key).expect("written");
    fs::write(dir.join("both.pem"), format!("{key}\n{chain}")).expect("written");
    let encrypted = Command::new("openssl")
        .args(["pkcs8", "-topk8", "-v2", "aes-256-cbc"])
        .args(["-passout", "pass:s3cr3t-phrase", "-in"])
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("locked.pem"))
        .status();
    if !encrypted.is_ok_and(|status| status.success()) {
        return skipped("there is no openssl to encrypt a key with");
    }
    Some(dir.display().to_string())
}

/// Returns the files below a directory whose name or content has one of these texts.
pub fn grep(dir: &Path, texts: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type().expect("a file type");
        let inside = kind.is_file() && {
            let bytes = fs::read(&path).expect("a file");
            texts.iter().any(|text| has(&bytes, text.as_bytes()))
        };
        if inside
            || texts
                .iter()
                .any(|text| name.to_string_lossy().contains(text))
        {
            found.push(path.clone());
        }
        if kind.is_dir() {
            found.extend(grep(&path, texts));
        }
    }
    found
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

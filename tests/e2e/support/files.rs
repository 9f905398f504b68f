//! Serves any bytes at any URL, and writes projects that describe their packages themselves
//! (repositories of type `package`).

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use allegro_registry::{Catalog, FileSpec, Format, Times};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::packages::{add_timed, entry};
use super::{Outcome, Scene, Side, compare, same, verify_store};

/// A directory that is served over HTTP.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    in_order: Arc<AtomicBool>,
    undated: Arc<AtomicBool>,
}

impl Files {
    fn serve(dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("the directory to serve");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let files = Self {
            dir: dir.to_owned(),
            address,
            asked: Arc::default(),
            stop: Arc::default(),
            in_order: Arc::default(),
            undated: Arc::default(),
        };
        let (dir, asked, stop) = (dir.to_owned(), files.asked.clone(), files.stop.clone());
        let (in_order, undated) = (files.in_order.clone(), files.undated.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (dir, asked) = (dir.clone(), asked.clone());
                let is_dated = !undated.load(Ordering::Relaxed);
                let work = move || answer(&stream, &dir, is_dated, &asked).ok();
                // A client that goes away doesn't matter.
                if in_order.load(Ordering::Relaxed) {
                    work();
                } else {
                    std::thread::spawn(work);
                }
            }
        });
        files
    }

    /// Answers one request after the other, in the order in which they come.
    pub fn answer_in_order(&self) {
        self.in_order.store(true, Ordering::Relaxed);
    }

    /// Sets whether answers have the time of a file's last change, so that a client can make
    /// conditional requests.
    pub fn set_dated(&self, is_dated: bool) {
        self.undated.store(!is_dated, Ordering::Relaxed);
    }

    /// Writes a file and returns its URL. A file whose name ends with `.gz` is also the answer to a
    /// request without that ending, with `Content-Encoding: gzip`.
    pub fn put(&self, path: &str, bytes: &[u8]) -> String {
        let file = self.dir.join(path);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, bytes).expect("the file");
        self.url(path)
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Returns the paths that were requested since the last call, sorted.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().expect("the log"));
        asked.sort();
        asked
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
    }
}

fn answer(
    mut stream: &TcpStream,
    dir: &Path,
    is_dated: bool,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut length = 0;
    let mut since = None;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("if-modified-since:") {
            since = Some(value.trim().to_owned());
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    // If the server closes a connection with unread data, the connection is reset, and the answer
    // may be lost.
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let path = first
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    if path.is_empty() {
        return Ok(());
    }
    asked.lock().expect("the log").push(path.to_owned());
    // A file may have the whole path and query of a URL as its name.
    let file = Some(dir.join(path))
        .filter(|file| file.is_file())
        .unwrap_or_else(|| dir.join(path.split('?').next().unwrap_or(path)));
    let packed = PathBuf::from(format!("{}.gz", file.display()));
    let is_packed = !file.is_file() && packed.is_file();
    let (status, changed, body) = match fs::read(if is_packed { packed } else { file }) {
        Ok(body) => {
            let changed = changed(&body);
            if is_dated && since == Some(changed.to_lowercase()) {
                ("304 Not Modified", changed, Vec::new())
            } else {
                ("200 OK", changed, body)
            }
        }
        Err(_) => ("404 Not Found", changed(b""), b"nothing here\n".to_vec()),
    };
    let mut headers = String::new();
    if is_dated {
        let _ = write!(headers, "Last-Modified: {changed}\r\n");
    }
    if is_packed {
        headers.push_str("Content-Encoding: gzip\r\n");
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/octet-stream\r\n{headers}Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// Returns a time of last change that depends on the content, because two changes may come within a
/// second.
fn changed(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let below = |at: usize, end: u8| digest[at] % end;
    format!(
        "Mon, {:02} Jan 20{:02} {:02}:{:02}:{:02} GMT",
        1 + below(0, 28),
        below(1, 25),
        below(2, 24),
        below(3, 60),
        below(4, 60)
    )
}

/// Returns a scene without packages, and a server for the files of a test.
pub fn bare() -> Option<(Scene, Files)> {
    let scene = Scene::of(Catalog::new())?;
    let files = Files::serve(&scene.dir().join("served"));
    Some((scene, files))
}

/// Returns the bytes of an archive. Its times and form depend on its files.
pub fn archive(format: Format, top_folder: bool, files: Vec<FileSpec>) -> Vec<u8> {
    let content = format!("{files:?}");
    let times = Times::of_release(&content, "", "");
    archive_with(format, top_folder, files, times)
}

/// Returns the bytes of an archive whose entries have these times.
pub fn archive_with(
    format: Format,
    top_folder: bool,
    files: Vec<FileSpec>,
    times: Times,
) -> Vec<u8> {
    let mut catalog = Catalog::new();
    add_timed(
        &mut catalog,
        entry("e2e/any", "1.0.0", "{}"),
        top_folder,
        format,
        files,
        Some(times),
    );
    let package = &catalog.packages()[0];
    let archive = catalog.archive(package, format).expect("an archive");
    archive.bytes().expect("its bytes").to_vec()
}

/// Returns the description of a package with a dist; `more` is merged into it.
pub fn package(name: &str, kind: &str, url: &str, more: Value) -> Value {
    let mut package = json!({
        "name": name,
        "version": "1.0.0",
        "dist": { "type": kind, "url": url, "reference": "0123456789abcdef0123456789abcdef01234567" },
    });
    merge(&mut package, more);
    package
}

/// Merges `more` into `value`, objects key by key. `null` stays as a value.
pub fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(map), Value::Object(more)) => {
            for (key, more) in more {
                merge(map.entry(key).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more,
    }
}

/// Returns a manifest that requires these packages and describes them.
pub fn manifest(packages: &[Value], more: Value) -> Value {
    let mut require = json!({});
    for package in packages {
        let name = package["name"].as_str().expect("a name").to_lowercase();
        require[name] = json!("*");
    }
    let mut manifest = json!({
        "name": "e2e/root",
        "version": "1.0.0",
        "require": require,
        "minimum-stability": "dev",
        "repositories": [{ "type": "package", "package": packages }, { "packagist.org": false }],
        "config": { "secure-http": false, "autoloader-suffix": "E2e", "allow-plugins": true },
    });
    merge(&mut manifest, more);
    manifest
}

/// Writes a new project that consists of this manifest alone.
pub fn write(scene: &Scene, manifest: &Value) {
    let _ = fs::remove_dir_all(scene.project());
    rewrite(scene, manifest);
}

/// Writes the manifest alone, and keeps all other files.
pub fn rewrite(scene: &Scene, manifest: &Value) {
    fs::create_dir_all(scene.project()).expect("the project");
    let text = serde_json::to_string_pretty(manifest).expect("JSON");
    fs::write(scene.project().join("composer.json"), text).expect("the manifest");
}

/// Plays the same steps with Composer, and with Allegro on an empty store. Every outcome is the
/// same, and afterwards the store is sound. The requirements on `steps` are those of [`compare`].
#[track_caller]
pub fn agree(
    scene: &Scene,
    what: &str,
    steps: impl Fn(&Scene, Side) -> Vec<(String, Outcome)>,
) -> Vec<(String, Outcome)> {
    scene.forget_all();
    let plain = steps(scene, Side::Serial);
    for ((step, plain), (_, ours)) in plain.iter().zip(&steps(scene, Side::Allegro)) {
        same(&format!("{what}, {step}"), plain, ours);
    }
    sound(scene, what);
    plain
}

/// Plays [`compare`], which has a round with a warm store too. Afterwards the store is sound.
#[track_caller]
pub fn agree_warm(
    scene: &Scene,
    what: &str,
    steps: impl Fn(&Scene, Side) -> Vec<(String, Outcome)>,
) -> Vec<(String, Outcome)> {
    let played = compare(scene, what, steps);
    sound(scene, what);
    played
}

/// Checks that `allegro store verify` finds nothing wrong.
#[track_caller]
pub fn sound(scene: &Scene, what: &str) {
    let verified = verify_store(scene);
    assert!(
        verified.status.success(),
        "{what}: {}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
}

/// Runs commands in the project as it is, each as a step.
#[track_caller]
pub fn runs(scene: &Scene, side: Side, commands: &[&[&str]]) -> Vec<(String, Outcome)> {
    commands
        .iter()
        .map(|args| (args.join(" "), scene.outcome(&scene.call(side, args))))
        .collect()
}

/// Returns Composer's output in sorted order, because failures come in any order. The result lacks
/// lines with the names of temporary files, and places of errors in Composer's source.
pub fn said(outcome: &Outcome) -> Vec<String> {
    let mut lines = outcome.run.lines();
    lines.retain(|line| !line.contains("/vendor/composer/") && !line.starts_with("In "));
    lines.sort();
    lines
}

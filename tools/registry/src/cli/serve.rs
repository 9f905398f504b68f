//! Implements `allegro-registry serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use allegro_registry::{AuthRule, Error, Json, Result, Rule, Server, ServerOptions};
use clap::Args;

use super::{CatalogArgs, ProjectArgs, complain, say};

const RULES: &str = "\
Fault rules: PATTERN FAULT[:ARGUMENT] [skip=N] [times=N] [retry-after=S] [hops=N]
  PATTERN matches the path; `*` stands for any text. skip and times count requests of each path.
  latency:MS  bandwidth:BYTES_PER_S  status:CODE  truncate:BYTES  shorten:BYTES  reset[:BYTES]  hang[:BYTES]
  corrupt  html  redirect[:same|other|URL]
  Example: --fault '/dist/*/http-client/* status:503 times=2 retry-after=1'

Auth rules: [PATTERN ]basic:USER:PASSWORD | bearer:TOKEN | header:NAME:VALUE, then perhaps ' status=404'";

#[derive(Debug, Args)]
#[command(after_help = RULES)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    options: ProjectArgs,
    /// Also write the project that installs the packages into this directory
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve https with a certificate of an own authority
    #[arg(long)]
    tls: bool,
    /// With --tls: where to write the authority's certificate
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_file: Option<PathBuf>,
    /// Milliseconds before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Bytes a second of all connections together
    #[arg(long, value_name = "BYTES")]
    bandwidth: Option<u64>,
    /// Bytes a second of each connection
    #[arg(long, value_name = "BYTES")]
    connection_bandwidth: Option<u64>,
    /// Something that goes wrong, see below
    #[arg(long, value_name = "RULE")]
    fault: Vec<Rule>,
    /// Credentials that are asked for, see below
    #[arg(long, value_name = "RULE")]
    auth: Vec<AuthRule>,
    /// Write one JSON line a request to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Write base_url, other_url, ca_file and pid as JSON to this file once ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Exit when the process with this id is gone
    #[arg(long, value_name = "PID")]
    parent_pid: Option<i32>,
    /// Make archives when they are asked for, not before
    #[arg(long)]
    no_warm: bool,
    /// Serve the files of this directory too, before anything else
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Threads that serve
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
}

pub(super) fn run(args: ServeArgs) -> Result<()> {
    let started = Instant::now();
    let mut catalog = args.catalog.catalog()?;
    let mut writer = args.options.prepare(&mut catalog, None)?;
    if !args.no_warm {
        catalog.warm()?;
    }
    let options = ServerOptions {
        listen: args.listen,
        tls: args.tls,
        client_certificates: false,
        ca_file: args.ca_file,
        latency: Duration::from_millis(args.latency_ms),
        connection_bandwidth: args.connection_bandwidth,
        total_bandwidth: args.bandwidth,
        faults: args.fault,
        auth: args.auth,
        keep_source: args.options.keep_source,
        files: args.files,
        log_file: args.log,
        threads: args.threads,
    };
    let mut server = Server::start(Arc::new(catalog), options)?;
    if let Some(dir) = &args.project {
        writer.set_ca_file(server.ca_file().map(Path::to_owned));
        writer.write(server.catalog(), dir, server.base_url())?;
    }
    let ready = ready(&server);
    if let Some(file) = &args.ready_file {
        write_beside(file, &ready)?;
    }
    say(&ready);
    complain(&format!(
        "serving {} packages after {:.1} s",
        server.catalog().packages().len(),
        started.elapsed().as_secs_f64()
    ));
    wait(args.parent_pid)?;
    server.stop();
    Ok(())
}

fn ready(server: &Server) -> String {
    let mut json = Json::object();
    json.set("base_url", Json::str(server.base_url()));
    json.set("other_url", Json::str(server.other_url()));
    let ca_file = server
        .ca_file()
        .map_or(Json::Null, |path| Json::str(path.display().to_string()));
    json.set("ca_file", ca_file);
    json.set("pid", Json::Int(i64::from(std::process::id())));
    json.to_line()
}

/// Writes a file beside its place and renames it, because a process that waits for the file must
/// not read half of it.
fn write_beside(file: &Path, text: &str) -> Result<()> {
    let beside = file.with_extension(format!("tmp{}", std::process::id()));
    std::fs::write(&beside, format!("{text}\n")).map_err(Error::io(&beside))?;
    std::fs::rename(&beside, file).map_err(Error::io(file))
}

fn wait(parent: Option<i32>) -> Result<()> {
    let failed = |source: std::io::Error| Error::Server {
        action: "cannot wait for signals",
        reason: source.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = gone(parent) => {}
        }
        Ok(())
    })
}

/// Ends when the process ends; never if there is no process to watch.
async fn gone(process: Option<i32>) {
    let Some(process) = process.and_then(rustix::process::Pid::from_raw) else {
        return std::future::pending().await;
    };
    while rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

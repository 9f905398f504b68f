//! Allegro's own commands.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use super::{Opt, flag, value};
use crate::cli::settings::KEYS;
use crate::cli::terminal::STRONG;

fn command(name: &'static str, about: &'static str, options: &[Opt], example: &str) -> Command {
    Command::new(name)
        .about(about)
        .args(options.iter().map(Opt::arg))
        .after_help(format!(
            "{STRONG}Example:{STRONG:#} {example}\n\
             {STRONG}More:{STRONG:#} options of every command: allegro help"
        ))
}

fn argument(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(name).help(help).required(true)
}

fn key() -> Arg {
    argument("KEY", "Name of the setting")
        .value_parser(PossibleValuesParser::new(KEYS.iter().map(|key| key.name)))
        .hide_possible_values(true)
}

/// Returns the definitions of all of Allegro's own commands.
pub fn commands() -> Vec<Command> {
    let mut all = of_vendor();
    all.extend(of_machine());
    all
}

/// The option of commands that mend what they find.
const FIX: Opt = flag("fix", "Mends what can be mended");

/// Returns the commands that compare vendor and change its files.
fn of_vendor() -> Vec<Command> {
    vec![
        command(
            "status",
            "Compares vendor with the lock",
            &[
                flag("exit-code", "Ends with 1 if anything differs"),
                flag("no-dev", "Leaves packages of require-dev out"),
            ],
            "allegro status --exit-code",
        ),
        command(
            "verify",
            "Compares each file of vendor with what Composer would have written",
            &[
                FIX,
                flag("clean", "With --fix: removes added files too"),
                flag("content", "Reads files also where size and time are right"),
                flag(
                    "tree-hash",
                    "Prints one hash of vendor, to compare machines",
                ),
            ],
            "allegro verify --fix",
        )
        .arg(
            argument("PACKAGE", "Packages to compare, if not all")
                .required(false)
                .num_args(0..),
        ),
        command(
            "unshare",
            "Gives a package files of its own, so that they may be edited",
            &[],
            "allegro unshare acme/lib",
        )
        .arg(argument("PACKAGE", "Names of the packages").num_args(1..)),
    ]
}

fn of_machine() -> Vec<Command> {
    vec![
        command(
            "x",
            "Runs a program of a package in an environment of its own",
            &[
                value("bin", "NAME", "Runs this program of the package"),
                flag("update", "Looks for newer versions first").short('u'),
                flag("allow-plugins", "Lets Composer plugins of the package run"),
            ],
            "allegro x acme/tester@^2 --version",
        )
        .arg(argument(
            "PACKAGE",
            "Name, with a constraint as acme/tester@^2",
        ))
        .arg(
            Arg::new("ARGUMENT")
                .value_name("ARGUMENT")
                .help("Arguments of the program")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true),
        ),
        command(
            "fetch",
            "Fills the store from composer.lock, without a project",
            &[
                flag("no-dev", "Leaves packages of require-dev out"),
                flag("strict", "Fails if a package is left to Composer"),
            ],
            "allegro fetch --no-dev",
        ),
        store(),
        config(),
        command(
            "doctor",
            "Tries what an install in this directory would use",
            &[FIX],
            "allegro doctor --fix",
        ),
        command(
            "completion",
            "Prints the completion script of a shell",
            &[],
            "allegro completion bash > ~/.local/share/bash-completion/allegro",
        )
        .arg(argument("SHELL", "Name of the shell").value_parser(
            PossibleValuesParser::new(["bash", "elvish", "fish", "powershell", "zsh"]),
        )),
        command(
            "man",
            "Writes the manual pages into a directory",
            &[],
            "allegro man /usr/local/share/man/man1",
        )
        .arg(argument("DIR", "Directory of the pages")),
        command(
            "version",
            "Prints the versions of Allegro and its protocol",
            &[],
            "allegro version",
        ),
        command(
            "help",
            "Shows the commands, or the options of one",
            &[],
            "allegro help install",
        )
        .arg(
            Arg::new("COMMAND")
                .value_name("COMMAND")
                .help("Name of the command, as store prune")
                .num_args(0..),
        ),
        Command::new("helper")
            .about("Answers requests of the plugin on standard input")
            .hide(true),
    ]
}

fn store() -> Command {
    command(
        "store",
        "Looks after the store",
        &[],
        "allegro store prune --dry-run",
    )
    .subcommand_required(true)
    .arg_required_else_help(true)
    .subcommand(command(
        "status",
        "Shows what the store holds",
        &[],
        "allegro store status --json",
    ))
    .subcommand(command(
        "path",
        "Prints the directory of the store",
        &[],
        "allegro store path",
    ))
    .subcommand(command(
        "verify",
        "Reads every file of the store, and takes wrong ones out of use",
        &[],
        "allegro store verify",
    ))
    .subcommand(command(
        "prune",
        "Removes what no project uses",
        &[
            flag("dry-run", "Shows what would be removed"),
            flag("gc", "Removes all that no project uses, also with limits"),
            value(
                "max-size",
                "SIZE",
                "Removes the least used down to 5GB, 500M …",
            ),
            value("max-age", "AGE", "Removes what nobody used for 30d, 2w …"),
            flag("ci", "Keeps what is cheaper kept than made again"),
        ],
        "allegro store prune --dry-run",
    ))
    .subcommand(
        command(
            "export",
            "Writes the packages of a lock into one file",
            &[
                value("lock", "LOCK", "Takes the packages of this lock"),
                flag("all", "Takes all packages of the store"),
                flag("no-dev", "Leaves packages of require-dev out"),
            ],
            "allegro store export packages.allegro",
        )
        .arg(argument("FILE", "File to write, or - for standard output").required(false)),
    )
    .subcommand(
        command(
            "import",
            "Reads packages from a file",
            &[],
            "allegro store import packages.allegro",
        )
        .arg(argument("FILE", "File to read, or - for standard input")),
    )
}

fn config() -> Command {
    command(
        "config",
        "Shows and changes the settings of the command line",
        &[],
        "allegro config set workers 8",
    )
    .subcommand_required(true)
    .arg_required_else_help(true)
    .subcommand(command(
        "list",
        "Lists all settings with the places that decided on them",
        &[],
        "allegro config list",
    ))
    .subcommand(
        command(
            "get",
            "Prints the value of a setting",
            &[],
            "allegro config get workers",
        )
        .arg(key()),
    )
    .subcommand(
        command(
            "set",
            "Writes a setting into the configuration file",
            &[],
            "allegro config set link_strategy reflink",
        )
        .arg(key())
        .arg(
            argument("VALUE", "Value of the setting")
                .allow_hyphen_values(true)
                .action(ArgAction::Set),
        ),
    )
    .subcommand(
        command(
            "unset",
            "Takes a setting out of the configuration file",
            &[],
            "allegro config unset workers",
        )
        .arg(key()),
    )
    .subcommand(command(
        "path",
        "Prints the path of the configuration file",
        &[],
        "allegro config path",
    ))
}

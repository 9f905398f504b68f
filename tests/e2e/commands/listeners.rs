//! Tests the cost that the plugin's listeners add to a command.

use std::fs;

use allegro_registry::Format;
use serde_json::json;

use super::{World, project};
use crate::support::files::{archive, package};
use crate::support::home::composer_version;
use crate::support::packages::file;

/// Composer 2.9.1 and later read the class maps of all packages before they call a listener of a
/// plugin. A missing directory makes that visible. Allegro's listeners don't cause it.
#[test]
fn need_no_autoloader() {
    let Some(world) = World::new() else { return };
    let scan = "Could not scan for classes inside";
    let lib = world.template.join("vendor/e2e/two/lib");
    let compare = |what: &str| {
        fs::remove_dir_all(&lib).expect("the directory of the class map");
        ["show", "licenses"].map(|command| {
            let plain = world.without_us(true, &[command], false);
            let ours = world.with_us(true, &[command], false);
            assert_eq!(plain.exit, 0, "{what}, {command}: {:?}", plain.stderr);
            assert_eq!(plain.differences(&ours), "", "{what}, {command}");
            plain
                .stderr
                .iter()
                .filter(|line| line.contains(scan))
                .count()
        })
    };
    world.install(&project(&world));
    assert_eq!(compare("alone"), [0; 2]);

    // A listener of another plugin causes it.
    let url = world.files.put(
        "listener.zip",
        &archive(Format::Zip, true, vec![file("Plugin.php", LISTENER)]),
    );
    let listener = json!({
        "type": "composer-plugin", "require": { "composer-plugin-api": "^2.0" },
        "autoload": { "classmap": ["Plugin.php"] }, "extra": { "class": "E2eListener\\Plugin" },
    });
    let mut with = project(&world);
    let inline =
        json!({ "type": "package", "package": package("e2e/listener", "zip", &url, listener) });
    with["repositories"]
        .as_array_mut()
        .expect("repositories")
        .insert(0, inline);
    with["require"]["e2e/listener"] = json!("*");
    world.install(&with);
    let times = compare("with another listener");
    if composer_version() >= (2, 10) {
        assert_eq!(
            times, [1; 2],
            "this Composer reads class maps for listeners"
        );
    } else {
        println!(
            "skipped in part: whether this Composer reads class maps for listeners is not looked at"
        );
    }
}

const LISTENER: &str = r"<?php

namespace E2eListener;

use Composer\Composer;
use Composer\IO\IOInterface;

class Plugin implements \Composer\Plugin\PluginInterface, \Composer\EventDispatcher\EventSubscriberInterface
{
    public function activate(Composer $composer, IOInterface $io)
    {
    }

    public function deactivate(Composer $composer, IOInterface $io)
    {
    }

    public function uninstall(Composer $composer, IOInterface $io)
    {
    }

    public static function getSubscribedEvents()
    {
        return ['command' => 'onCommand'];
    }

    public function onCommand()
    {
    }
}
";

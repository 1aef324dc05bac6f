//! The same figures for gatepass and for what people would use instead. See the README beside this package.

#[path = "../../hot_path/harness.rs"]
mod harness;
mod hot_path;
mod keeper;
mod limited;
mod notes;
mod options;
mod peers;
mod post;
#[path = "../../storms/scenes/mod.rs"]
mod scenes;
mod stand_in;
mod storms;
mod table;

use std::path::Path;

use self::{
    harness::Effort,
    options::Options,
    scenes::{Figures, Scene, save},
    storms::{Entry, LINEUP},
    table::Table,
};

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    post::client();
    let options = Options::read();
    let scenes: Vec<Scene> = Scene::ALL.into_iter().filter(|scene| options.wants_scene(scene.word())).collect();
    let mut table = Table::new(scenes.clone());
    if options.wants_scene("hot-path") {
        let rounds = if options.quick { 20 } else { 100 };
        let effort = Effort { rounds, requests: 4_000 };
        for cost in hot_path::run(effort, |name| options.wants_peer(name), options.details) {
            table.add_cost(cost);
        }
    }
    for entry in LINEUP.iter().filter(|entry| !scenes.is_empty() && options.wants_peer(entry.name)) {
        table.add_figures(entry.name, storms(entry, &scenes, &options));
    }
    if options.wants_scene(limited::WORD) {
        for limited in limited::run(|name| options.wants_peer(name)) {
            table.add_limited(limited);
        }
    }
    print!("{}", if options.markdown { table.markdown() } else { table.text() });
}

/// Each peer has a runtime of its own: what it left running ends with it.
fn storms(entry: &Entry, scenes: &[Scene], options: &Options) -> Vec<Figures> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let effort = if options.quick { scenes::Effort::quick() } else { scenes::Effort::full() };
    // Whoever comes first on new threads pays for what all use afterwards.
    runtime.block_on((entry.run)(Scene::Cold, scenes::Effort::quick()));
    let mut all = Vec::new();
    for scene in scenes.iter().copied() {
        if entry.has_token && matches!(scene, Scene::Cold | Scene::FirstDropped | Scene::Impatient) {
            continue;
        }
        eprintln!("{}: {} …", entry.name, scene.title());
        all.push(runtime.block_on((entry.run)(scene, effort)));
    }
    runtime.shutdown_background();
    if options.details {
        println!("{}", scenes::table(entry.name, &all));
    }
    // A part of them would stand in place of all.
    if scenes.len() == Scene::ALL.len() {
        keep(entry.name, &all);
    }
    all
}

fn keep(name: &str, figures: &[Figures]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/storms");
    if let Err(error) = save(name, figures, &folder) {
        eprintln!("the figures of {name} could not be saved: {error}");
    }
}

//! What becomes of callers who want more than a limiter allows: how long they take, and how often they are refused.
//!
//! A thousand callers with ten calls each, real sockets on loopback, an API that allows 100 calls in each second: at best
//! that takes 100 s. Who does what with a 429 says [`Variant`].
//!
//! ```text
//! cargo bench --bench limiter                        # about seven minutes
//! cargo bench --bench limiter -- --quick             # a tenth of the callers
//! cargo bench --bench limiter -- --variant pacing    # one of them
//! ```
//!
//! The burst with which all begin is out before anybody knows of the limit: up to as many 429s as there are connections,
//! with or without a gate. So fewer callers have a larger share of them.
//!
//! The first seconds of the runs with and without the gate go to `target/storms/gate.json`, for the chart. The last line is
//! for machines. What is aimed at is printed beside; nothing fails for it, for times are the machine's as well.

mod chart;
mod crowd;
mod report;
mod stacks;

use std::{env, path::Path};

use self::{
    crowd::{Effort, run},
    stacks::Variant,
};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let variants = variants_asked_for();
    let mut figures = Vec::new();
    println!("{}", report::head());
    for variant in variants {
        let it = runtime.block_on(run(variant, effort_asked_for()));
        print!("{}", report::line(&it));
        figures.push(it);
    }
    if is_bench() {
        match chart::save(&figures, &Path::new(env!("CARGO_MANIFEST_DIR")).join("target/storms")) {
            Ok(Some(path)) => println!("for the chart: {}", path.display()),
            Ok(None) => {}
            Err(error) => println!("for the chart: not saved: {error}"),
        }
    }
    println!("{}", report::for_machines(&figures));
}

/// For `cargo bench` enough to believe, otherwise (`cargo test --benches`) just that it runs.
fn effort_asked_for() -> Effort {
    let callers = match is_bench() {
        false => 20,
        true if is_given("--quick") => 100,
        true => 1_000,
    };
    Effort { callers, calls: 10 }
}

fn variants_asked_for() -> Vec<Variant> {
    let asked = env::args().skip_while(|argument| argument != "--variant").nth(1);
    let is_asked = |variant: &Variant| asked.as_ref().is_none_or(|asked| asked == variant.word());
    let variants: Vec<_> = Variant::ALL.into_iter().filter(is_asked).collect();
    assert!(!variants.is_empty(), "no such variant; there are: {}", Variant::ALL.map(Variant::word).join(", "));
    variants
}

fn is_bench() -> bool {
    is_given("--bench") && !is_given("--test")
}

fn is_given(flag: &str) -> bool {
    env::args().any(|argument| argument == flag)
}

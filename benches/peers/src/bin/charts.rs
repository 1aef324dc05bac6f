//! Draws what was measured, as SVG, into `docs/pictures`.
//!
//! ```text
//! charts                    # ours, and of the others the one that comes first by name
//! charts gatepass mutex     # these, by the names of their files
//! ```
//!
//! `latency-across-an-expiry.svg` is made of `target/storms/<name>.json`, which the storms leave there;
//! `429s-over-time.svg` of `target/storms/gate.json`:
//! `[{"name": "without the gate", "calls": [[seconds, status], …]}, …]`. A chart whose figures are not there is left out.

use std::{
    env, fs,
    ops::Range,
    path::{Path, PathBuf},
};

use plotters::{coord::types::RangedCoordf64, prelude::*};
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const SIZE: (u32, u32) = (960, 440);
const OURS: RGBColor = RGBColor(9, 105, 218);
const THEIRS: RGBColor = RGBColor(207, 86, 16);
const TEXT: RGBColor = RGBColor(31, 35, 40);
const LINES: RGBColor = RGBColor(216, 222, 228);

fn main() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (figures, pictures) = (root.join("target/storms"), root.join("docs/pictures"));
    fs::create_dir_all(&pictures)?;

    let runs = names(&figures)?.iter().map(|name| Run::read(&figures, name)).collect::<Result<Vec<_>, _>>()?;
    if runs.is_empty() {
        println!("no latencies in {}: run the storms first", figures.display());
    } else {
        draw(&pictures.join("latency-across-an-expiry.svg"), |area| latencies(area, &runs))?;
    }
    match fs::read(figures.join("gate.json")) {
        Err(_) => println!("no gate.json in {}: the chart of 429s is left out", figures.display()),
        Ok(json) => {
            let sides = Side::read_all(&serde_json::from_slice(&json)?)?;
            draw(&pictures.join("429s-over-time.svg"), |area| refusals(area, &sides))?;
        }
    }
    Ok(())
}

/// The names asked for; else ours, and the first of the others that has latencies.
fn names(figures: &Path) -> Result<Vec<String>, Failure> {
    let asked: Vec<String> = env::args().skip(1).collect();
    if !asked.is_empty() {
        return Ok(asked);
    }
    let Ok(files) = fs::read_dir(figures) else {
        return Ok(Vec::new());
    };
    let paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<PathBuf>, Failure>>()?;
    let stems = paths.iter().filter(|path| path.extension().is_some_and(|it| it == "json"));
    let mut names: Vec<String> = stems.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.retain(|name| Run::read(figures, name).is_ok());
    names.sort_by_key(|name| (name != "gatepass", name.clone()));
    names.truncate(2);
    Ok(names)
}

/// What one client did while a token ended.
struct Run {
    name: String,
    /// When a request came to the token endpoint: seconds from when the token ended, as all times here.
    token_requests: Vec<f64>,
    /// Seconds and milliseconds.
    calls: Vec<(f64, f64)>,
}

impl Run {
    fn read(figures: &Path, name: &str) -> Result<Self, Failure> {
        let json: Value = serde_json::from_slice(&fs::read(figures.join(format!("{name}.json")))?)?;
        let expiry = &json["expiry"];
        let ends = expiry["ends"].as_f64().ok_or_else(|| format!("{name}.json has no latencies across an expiry"))?;
        let requests = expiry["token_requests"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        let calls = pairs(&expiry["calls"]).map(|(at, time)| (at - ends, time)).collect();
        Ok(Self { name: name.to_owned(), token_requests: requests.map(|at| at - ends).collect(), calls })
    }

    fn span(&self) -> Range<f64> {
        let times = self.calls.iter().map(|(at, _)| *at);
        times.clone().fold(f64::INFINITY, f64::min)..times.fold(f64::NEG_INFINITY, f64::max)
    }
}

fn latencies(area: &Area<'_>, runs: &[Run]) -> Result<(), Failure> {
    /// One point for each, of the slowest call: what a mean would hide is the subject.
    const BIN: f64 = 0.02;
    let from = runs.iter().map(|run| run.span().start).fold(f64::INFINITY, f64::min);
    let to = runs.iter().map(|run| run.span().end).fold(f64::NEG_INFINITY, f64::max);
    let slowest = runs.iter().flat_map(|run| &run.calls).map(|(_, time)| *time).fold(1.0, f64::max);
    let top = slowest * 1.18;
    let mut chart = axes(
        area,
        "Latency across an expiry",
        ("seconds from the end of the token", from..to),
        ("slowest call of each 20 ms, in ms", 0.0..top),
    )?;

    chart.draw_series([PathElement::new([(0.0, 0.0), (0.0, top)], TEXT.mix(0.55).stroke_width(1))])?;
    let label = ("sans-serif", 14).into_font().color(&TEXT);
    chart.draw_series([Text::new("the token ends", ((to - from) * 0.006, top * 0.975), label)])?;
    // Ours last, on top.
    for (at, run) in runs.iter().enumerate().rev() {
        let colour = if at == 0 { OURS } else { THEIRS };
        let points = binned(&run.calls, from, BIN).map(|(at, calls)| (at, calls.into_iter().fold(0.0, f64::max)));
        legend(chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?.label(&run.name), colour);
        let requests = run.token_requests.iter().filter(|request| (from..to).contains(request)).take(100);
        let marks = requests.map(|request| TriangleMarker::new((*request, top * 0.022), 7, colour.filled()));
        chart.draw_series(marks)?;
    }
    let note = ("sans-serif", 14).into_font().color(&TEXT.mix(0.8));
    let where_it_is = (from + (to - from) * 0.012, top * 0.975);
    chart.draw_series([Text::new("▲ a request to the token endpoint, which takes 50 ms", where_it_is, note)])?;
    labels(&mut chart)
}

/// Calls against a limiter, one way or the other.
struct Side {
    name: String,
    /// Seconds and status.
    calls: Vec<(f64, f64)>,
}

impl Side {
    fn read_all(json: &Value) -> Result<Vec<Self>, Failure> {
        let sides = json.as_array().ok_or("gate.json is a list")?.iter();
        Ok(sides
            .map(|side| Self {
                name: side["name"].as_str().unwrap_or("?").to_owned(),
                calls: pairs(&side["calls"]).collect(),
            })
            .collect())
    }

    fn answered(&self, status: f64) -> impl Iterator<Item = (f64, f64)> {
        self.calls.iter().copied().filter(move |(_, own)| *own == status)
    }
}

fn refusals(area: &Area<'_>, sides: &[Side]) -> Result<(), Failure> {
    let to = sides.iter().flat_map(|side| &side.calls).map(|(at, _)| *at).fold(1.0, f64::max);
    let bin = bin_for(to);
    let bars: Vec<Vec<(f64, f64)>> = sides
        .iter()
        .map(|side| {
            let refused: Vec<_> = side.answered(429.0).collect();
            binned(&refused, 0.0, bin).map(|(at, calls)| (at, calls.len() as f64)).collect()
        })
        .collect();
    let most = bars.iter().flatten().map(|(_, count)| *count).fold(1.0, f64::max);
    let unit = if bin < 1.0 { format!("{:.0} ms", bin * 1e3) } else { format!("{bin:.0} s") };
    let mut chart = axes(
        area,
        "429s over time",
        ("seconds since the calls began", 0.0..to + bin),
        (&format!("answers with status 429 in each {unit}"), 0.0..most * 1.25),
    )?;
    let width = bin * 0.8 / sides.len().max(1) as f64;
    for (at, (side, bars)) in sides.iter().zip(&bars).enumerate() {
        // The last one is what is shown: the gate.
        let colour = if at + 1 == sides.len() { OURS } else { THEIRS };
        let left = |from: f64| from + bin * 0.1 + width * at as f64;
        let bars = bars
            .iter()
            .map(|(from, count)| Rectangle::new([(left(*from), 0.0), (left(*from) + width, *count)], colour.filled()));
        let (refused, good) = (side.answered(429.0).count(), side.answered(200.0).count());
        let label = format!("{} (429: {refused}, 200: {good})", side.name);
        legend(chart.draw_series(bars)?.label(label), colour);
    }
    labels(&mut chart)
}

/// About sixty bars.
fn bin_for(span: f64) -> f64 {
    let steps = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
    steps.into_iter().find(|step| span / step <= 60.0).unwrap_or(60.0)
}

fn draw(path: &Path, chart: impl Fn(&Area<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    // Opaque: the text is dark, and so may be the page.
    area.fill(&WHITE)?;
    chart(&area)?;
    area.present()?;
    println!("{}", path.display());
    Ok(())
}

fn axes<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x_title, x): (&str, Range<f64>),
    (y_title, y): (&str, Range<f64>),
) -> Result<Chart<'a, 'b>, Failure> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 24).into_font().color(&TEXT))
        .margin(18)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(LINES)
        .light_line_style(TRANSPARENT)
        .axis_style(TEXT.mix(0.6))
        .x_desc(x_title)
        .y_desc(y_title)
        .axis_desc_style(("sans-serif", 16).into_font().color(&TEXT))
        .label_style(("sans-serif", 14).into_font().color(&TEXT))
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .y_labels(6)
        .draw()?;
    Ok(chart)
}

fn legend<'a>(series: &mut plotters::chart::SeriesAnno<'a, SVGBackend<'_>>, colour: RGBColor) {
    series.legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], colour.filled()));
}

fn labels<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Result<(), Failure> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .margin(14)
        .background_style(WHITE)
        .border_style(LINES)
        .label_font(("sans-serif", 15).into_font().color(&TEXT))
        .draw()?;
    Ok(())
}

/// No more digits than it has.
fn number(value: &f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}

/// What falls into each span of `bin` seconds; spans without anything are left out.
fn binned(values: &[(f64, f64)], from: f64, bin: f64) -> impl Iterator<Item = (f64, Vec<f64>)> {
    let mut bins = std::collections::BTreeMap::<u64, Vec<f64>>::new();
    for (at, value) in values {
        bins.entry(((at - from) / bin).max(0.0) as u64).or_default().push(*value);
    }
    bins.into_iter().map(move |(index, values)| (from + index as f64 * bin, values))
}

fn pairs(json: &Value) -> impl Iterator<Item = (f64, f64)> {
    json.as_array().into_iter().flatten().filter_map(|pair| Some((pair[0].as_f64()?, pair[1].as_f64()?)))
}

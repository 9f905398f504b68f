//! Draws the curves of growth as a picture (SVG). Both axes are logarithmic, so a linear curve
//! rises as the dotted line does.

use std::fmt::Write as _;

use super::table::SERIES;
use super::{Figure, Series, Size};

const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 860.0;

/// The height of a picture with one row of panels.
const ONE_ROW: f64 = 470.0;

/// The size of a panel's drawing area.
const AREA: (f64, f64) = (420.0, 290.0);

const RESOLVE: &str = "composer resolve";

const LINEAR: &str = "stroke=\"#9ca3af\" stroke-dasharray=\"2 4\"";

/// A curve of resolving: its figure, its name, its colour, and its dashes.
type Style = (Figure, &'static str, &'static str, &'static str);

const SECONDS: [Style; 3] = [
    (Figure::Update, "composer update", "#b45309", ""),
    (Figure::Resolve, RESOLVE, "#1d4ed8", ""),
    (
        Figure::Choosing,
        "of it choosing versions",
        "#1d4ed8",
        "6 4",
    ),
];

const MEMORY: [Style; 2] = [
    (Figure::UpdateMemory, "composer update", "#b45309", ""),
    (Figure::ResolveMemory, RESOLVE, "#1d4ed8", ""),
];

/// A curve with its points.
pub struct Curve {
    /// Name in the legend.
    pub name: &'static str,
    /// Colour of the line.
    pub colour: &'static str,
    /// Dashes of the line.
    pub dashes: &'static str,
    /// Points, the smallest size first.
    pub points: Vec<(f64, f64)>,
}

/// The curves of one unit.
pub struct Chart {
    /// Unit of the figures, above the drawing.
    pub unit: &'static str,
    /// Name of the quantity that grows, below the drawing.
    pub over: String,
    /// Curves, in the order of the legend.
    pub curves: Vec<Curve>,
    /// Name of the curve through whose end the line of linear growth goes.
    pub compared: &'static str,
}

/// Returns the picture of resolving.
pub fn svg(sizes: &[Size], subtitle: &str) -> String {
    let chart = |series: Series, unit, styles: &[Style]| Chart {
        unit,
        over: series.title(),
        curves: styles
            .iter()
            .map(|(figure, name, colour, dashes)| Curve {
                name,
                colour,
                dashes,
                points: series.points(sizes, *figure),
            })
            .collect(),
        compared: RESOLVE,
    };
    let row = |unit, styles: &[Style]| SERIES.map(|series| chart(series, unit, styles));
    picture(
        "How composer resolve grows",
        subtitle,
        &[
            row("seconds", &SECONDS),
            row("MiB of the largest process", &MEMORY),
        ],
    )
}

/// Returns a picture with rows of two charts.
pub fn picture(title: &str, subtitle: &str, rows: &[[Chart; 2]]) -> String {
    let height = if rows.len() == 1 { ONE_ROW } else { HEIGHT };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let bold = "font-size=\"18\" font-weight=\"bold\"";
    text(&mut svg, (60.0, 32.0), "start", bold, title);
    let grey = "fill=\"#6b7280\"";
    text(&mut svg, (60.0, 54.0), "start", grey, subtitle);
    for (line, row) in (0_u8..).zip(rows) {
        for (column, chart) in (0_u8..).zip(row) {
            let x = 80.0 + f64::from(column) * (AREA.0 + 110.0);
            panel(&mut svg, (x, 100.0 + 390.0 * f64::from(line)), chart);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A logarithmic scale from values to places in the picture.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let part = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + part * (self.to - self.from)
    }

    /// Returns round numbers, three to a decade, each with its neighbours if there would be few.
    fn marks(&self) -> Vec<f64> {
        let mut marks = Vec::new();
        let mut decade = 10_f64.powf(self.low.log10().floor());
        while decade <= self.high {
            for step in [1.0, 2.0, 5.0] {
                let mark = decade * step;
                if mark >= self.low * 0.999 && mark <= self.high * 1.001 {
                    marks.push(mark);
                }
            }
            decade *= 10.0;
        }
        marks
    }
}

/// Place and scales of a panel.
struct Panel {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

impl Panel {
    /// Makes a panel for these points; `None` if there is nothing to show.
    fn new((left, top): (f64, f64), points: &[(f64, f64)]) -> Option<Self> {
        let (right, bottom) = (left + AREA.0, top + AREA.1);
        let scale = |of: fn(&(f64, f64)) -> f64, from, to| Scale {
            low: points.iter().map(of).fold(f64::INFINITY, f64::min) / 1.25,
            high: points.iter().map(of).fold(0.0, f64::max) * 1.25,
            from,
            to,
        };
        let panel = Self {
            left,
            top,
            right,
            bottom,
            x: scale(|point| point.0, left, right),
            y: scale(|point| point.1, bottom, top),
        };
        let is_drawable = |scale: &Scale| scale.low > 0.0 && scale.low < scale.high;
        (is_drawable(&panel.x) && is_drawable(&panel.y)).then_some(panel)
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    fn axes(&self, svg: &mut String, mut places: Vec<f64>, title: &str) {
        for mark in self.y.marks() {
            let at = self.y.at(mark);
            line(
                svg,
                &[(self.left, at), (self.right, at)],
                "stroke=\"#e5e7eb\"",
            );
            text(
                svg,
                (self.left - 8.0, at + 4.0),
                "end",
                "",
                &mark.to_string(),
            );
        }
        places.sort_by(f64::total_cmp);
        places.dedup();
        for place in places {
            let at = self.x.at(place);
            let tick = [(at, self.bottom), (at, self.bottom + 5.0)];
            line(svg, &tick, "stroke=\"#6b7280\"");
            text(
                svg,
                (at, self.bottom + 20.0),
                "middle",
                "",
                &place.to_string(),
            );
        }
        let frame = [
            (self.left, self.top),
            (self.left, self.bottom),
            (self.right, self.bottom),
        ];
        line(svg, &frame, "stroke=\"#6b7280\"");
        let middle = (self.left + AREA.0 / 2.0, self.bottom + 42.0);
        text(svg, middle, "middle", "fill=\"#6b7280\"", title);
    }

    /// Draws the line of linear growth through the largest size, down to the edge of the picture.
    fn linear(&self, svg: &mut String, (size, figure): (f64, f64)) {
        let start = self.x.low.max(size * self.y.low / figure);
        let ends = [(start, figure * start / size), (size, figure)];
        line(svg, &ends.map(|end| self.at(end)), LINEAR);
    }

    fn legend(&self, svg: &mut String, row: u8, style: &str, name: &str) {
        let at = self.top + 14.0 + 18.0 * f64::from(row);
        let sample = [(self.left + 12.0, at - 4.0), (self.left + 40.0, at - 4.0)];
        line(svg, &sample, style);
        text(svg, (self.left + 48.0, at), "start", "", name);
    }
}

fn panel(svg: &mut String, place: (f64, f64), chart: &Chart) {
    let drawn: Vec<&Curve> = chart
        .curves
        .iter()
        .filter(|curve| !curve.points.is_empty())
        .collect();
    let all: Vec<(f64, f64)> = drawn
        .iter()
        .flat_map(|curve| curve.points.clone())
        .collect();
    let above = (place.0, place.1 - 12.0);
    text(svg, above, "start", "font-weight=\"bold\"", chart.unit);
    let Some(panel) = Panel::new(place, &all) else {
        text(
            svg,
            (place.0, place.1 + 20.0),
            "start",
            "",
            "nothing was measured",
        );
        return;
    };
    let places = all.iter().map(|point| point.0).collect();
    panel.axes(svg, places, &chart.over);
    let ours = drawn.iter().find(|curve| curve.name == chart.compared);
    if let Some(largest) = ours.and_then(|curve| curve.points.last()) {
        panel.linear(svg, *largest);
    }
    let mut row = 0;
    for curve in &drawn {
        let colour = curve.colour;
        let style = format!(
            "stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{}\"",
            curve.dashes
        );
        let places: Vec<(f64, f64)> = curve.points.iter().map(|point| panel.at(*point)).collect();
        line(svg, &places, &style);
        for (x, y) in places {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
        panel.legend(svg, row, &style, curve.name);
        row += 1;
    }
    panel.legend(svg, row, LINEAR, "linear");
}

fn line(svg: &mut String, points: &[(f64, f64)], style: &str) {
    let places: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" {style}/>",
        places.join(" ")
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::super::tests::size;
    use super::*;

    #[test]
    fn what_is_linear_is_straight() {
        let sizes = [(250, 0.25), (500, 0.5), (1000, 1.0)];
        let sizes = sizes.map(|(packages, seconds)| size(packages, 50, seconds));
        let svg = svg(&sizes, "a < b");
        assert!(svg.contains("a &lt; b"));
        let curve = svg
            .lines()
            .find(|line| line.contains("stroke=\"#1d4ed8\""))
            .expect("a curve");
        let places: Vec<f64> = curve
            .split('"')
            .nth(1)
            .expect("points")
            .split([' ', ','])
            .map(|number| number.parse().expect("a number"))
            .collect();
        let [ax, ay, bx, by, cx, cy] = places[..] else {
            panic!("three points: {curve}");
        };
        assert!(
            (bx - ax - (cx - bx)).abs() < 0.2 && (ay - by - (by - cy)).abs() < 0.2,
            "{curve}"
        );
        assert!(ax < bx && ay > by, "{curve}");
    }

    #[test]
    fn marks_are_round_numbers() {
        let scale = Scale {
            low: 0.15,
            high: 6.0,
            from: 0.0,
            to: 1.0,
        };
        let marks: Vec<String> = scale
            .marks()
            .iter()
            .map(|mark| format!("{mark:.1}"))
            .collect();
        assert_eq!(marks, ["0.2", "0.5", "1.0", "2.0", "5.0"]);
    }
}

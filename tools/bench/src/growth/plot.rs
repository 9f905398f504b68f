//! The curves of growth as a picture (SVG), both axes logarithmic: what is linear rises as the dotted line does.

use std::fmt::Write as _;

use super::table::SERIES;
use super::{Figure, Series, Size};

const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 860.0;

/// A panel's drawing area.
const AREA: (f64, f64) = (420.0, 290.0);

/// One curve: what it shows, its name, its colour, its dashes.
type Curve = (Figure, &'static str, &'static str, &'static str);

const SECONDS: [Curve; 3] = [
    (Figure::Update, "composer update", "#b45309", ""),
    (Figure::Resolve, "composer resolve", "#1d4ed8", ""),
    (
        Figure::Choosing,
        "of it choosing versions",
        "#1d4ed8",
        "6 4",
    ),
];

const MEMORY: [Curve; 2] = [
    (Figure::UpdateMemory, "composer update", "#b45309", ""),
    (Figure::ResolveMemory, "composer resolve", "#1d4ed8", ""),
];

/// The picture.
pub fn svg(sizes: &[Size], subtitle: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut svg,
        (60.0, 32.0),
        "start",
        "font-size=\"18\" font-weight=\"bold\"",
        "How composer resolve grows",
    );
    text(
        &mut svg,
        (60.0, 54.0),
        "start",
        "fill=\"#6b7280\"",
        subtitle,
    );
    for (column, series) in (0_u8..).zip(SERIES) {
        let x = 80.0 + f64::from(column) * (AREA.0 + 110.0);
        panel(&mut svg, (x, 100.0), sizes, series, "seconds", &SECONDS);
        panel(
            &mut svg,
            (x, 490.0),
            sizes,
            series,
            "MiB of the largest process",
            &MEMORY,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A logarithmic scale from the data's side to the picture's.
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

    /// Round numbers, three to a decade, each with its neighbours if there would be few.
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

fn panel(
    svg: &mut String,
    (left, top): (f64, f64),
    sizes: &[Size],
    series: Series,
    unit: &str,
    curves: &[Curve],
) {
    let drawn: Vec<(&Curve, Vec<(f64, f64)>)> = curves
        .iter()
        .map(|curve| (curve, series.points(sizes, curve.0)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let all = || drawn.iter().flat_map(|(_, points)| points.iter().copied());
    let ends = |of: fn((f64, f64)) -> f64| {
        let low = all().map(of).fold(f64::INFINITY, f64::min);
        let high = all().map(of).fold(0.0, f64::max);
        (low / 1.25, high * 1.25)
    };
    text(
        svg,
        (left, top - 12.0),
        "start",
        "font-weight=\"bold\"",
        unit,
    );
    let ((x_low, x_high), (y_low, y_high)) = (ends(|point| point.0), ends(|point| point.1));
    if x_low >= x_high || y_low <= 0.0 {
        text(svg, (left, top + 20.0), "start", "", "nothing was measured");
        return;
    }
    let (bottom, right) = (top + AREA.1, left + AREA.0);
    let x = Scale {
        low: x_low,
        high: x_high,
        from: left,
        to: right,
    };
    let y = Scale {
        low: y_low,
        high: y_high,
        from: bottom,
        to: top,
    };
    for mark in y.marks() {
        let at = y.at(mark);
        line(svg, &[(left, at), (right, at)], "stroke=\"#e5e7eb\"");
        text(svg, (left - 8.0, at + 4.0), "end", "", &mark.to_string());
    }
    let mut places: Vec<f64> = all().map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    for place in places {
        let at = x.at(place);
        line(
            svg,
            &[(at, bottom), (at, bottom + 5.0)],
            "stroke=\"#6b7280\"",
        );
        text(svg, (at, bottom + 20.0), "middle", "", &place.to_string());
    }
    line(
        svg,
        &[(left, top), (left, bottom), (right, bottom)],
        "stroke=\"#6b7280\" fill=\"none\"",
    );
    text(
        svg,
        (left + AREA.0 / 2.0, bottom + 42.0),
        "middle",
        "fill=\"#6b7280\"",
        &series.title(),
    );
    if let Some(points) = drawn
        .iter()
        .find(|(curve, _)| curve.1 == "composer resolve")
        && let [.., (from, height)] = points.1[..]
    {
        // Through the largest size, down to where it leaves the picture.
        let start = x_low.max(from * y_low / height);
        let ends = [(start, height * start / from), (from, height)];
        line(
            svg,
            &ends.map(|(a, b)| (x.at(a), y.at(b))),
            "stroke=\"#9ca3af\" stroke-dasharray=\"2 4\"",
        );
    }
    for (row, ((_, name, colour, dashes), points)) in (0_u8..).zip(&drawn) {
        let style = format!(
            "stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\" stroke-dasharray=\"{dashes}\""
        );
        let places: Vec<(f64, f64)> = points.iter().map(|(a, b)| (x.at(*a), y.at(*b))).collect();
        line(svg, &places, &style);
        for (a, b) in places {
            let _ = writeln!(
                svg,
                "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
        let at = top + 14.0 + 18.0 * f64::from(row);
        line(
            svg,
            &[(left + 12.0, at - 4.0), (left + 40.0, at - 4.0)],
            &style,
        );
        text(svg, (left + 48.0, at), "start", "", name);
    }
    let at = top + 14.0 + 18.0 * f64::from(u8::try_from(drawn.len()).unwrap_or(0));
    line(
        svg,
        &[(left + 12.0, at - 4.0), (left + 40.0, at - 4.0)],
        "stroke=\"#9ca3af\" stroke-dasharray=\"2 4\"",
    );
    text(
        svg,
        (left + 48.0, at),
        "start",
        "fill=\"#6b7280\"",
        "linear",
    );
}

fn line(svg: &mut String, points: &[(f64, f64)], style: &str) {
    let places: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let fill = if style.contains("fill=") {
        ""
    } else {
        " fill=\"none\""
    };
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" {style}{fill}/>",
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

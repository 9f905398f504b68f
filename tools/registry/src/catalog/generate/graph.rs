//! Chooses requirements.

use crate::rng::Rng;

/// The size of a graph. Composer's weights of packages double along chains of requirements, and are
/// beyond all numbers in a deeper graph.
const SIZE: usize = 1_600;

/// Returns the packages of the graph that the next package belongs to.
pub(super) fn of<T>(known: &[T]) -> &[T] {
    &known[known.len() / SIZE * SIZE..]
}

/// Returns a package that another one requires. Most requirements are near neighbours, so the graph
/// is deep as well as broad.
pub(super) fn required<'a, T>(graph: &'a [T], rng: &mut Rng) -> &'a T {
    let at = if rng.percent(60) {
        graph.len() - 1 - rng.below(graph.len().min(12))
    } else {
        rng.below(graph.len())
    };
    &graph[at]
}

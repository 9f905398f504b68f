//! Sorts as PHP's `usort` does, with the same comparisons in the same order.
//!
//! A consistent comparison gives one result in any algorithm. Composer's comparison is
//! inconsistent where packages replace each other. Then the result depends on the pairs that are
//! compared, and on their order.

use super::pool::Number;

/// Up to this length PHP uses an insertion sort, beyond it a quicksort.
const FEW: usize = 16;

/// Up to this place the insertion sort searches step by step, beyond it two steps at a time.
const NEAR: usize = 6;

/// Sorts like `usort()`; `after` returns whether its first argument comes after the second.
pub(super) fn usort(list: &mut [Number], after: &impl Fn(Number, Number) -> bool) {
    match list.len() {
        0 | 1 => {}
        2 => in_places(list, &[0, 1], after),
        3 => in_places(list, &[0, 1, 2], after),
        4 => in_places(list, &[0, 1, 2, 3], after),
        5 => in_places(list, &[0, 1, 2, 3, 4], after),
        ..=FEW => insert(list, after),
        _ => divide(list, after),
    }
}

/// Sorts the values in the given places, five at most.
fn in_places(list: &mut [Number], places: &[usize], after: &impl Fn(Number, Number) -> bool) {
    let mut sorted = 1;
    if let [a, b, c, ..] = *places {
        sorted = 3;
        if after(list[a], list[b]) {
            if after(list[c], list[b]) {
                list.swap(a, b);
                if after(list[b], list[c]) {
                    list.swap(b, c);
                }
            } else {
                list.swap(a, c);
            }
        } else if after(list[b], list[c]) {
            list.swap(b, c);
            if after(list[a], list[b]) {
                list.swap(a, b);
            }
        }
    }
    for end in sorted..places.len() {
        for pair in places[..=end].windows(2).rev() {
            if !after(list[pair[0]], list[pair[1]]) {
                break;
            }
            list.swap(pair[0], pair[1]);
        }
    }
}

/// Sorts up to [`FEW`] values by insertion.
fn insert(list: &mut [Number], after: &impl Fn(Number, Number) -> bool) {
    for end in 1..list.len() {
        let new = list[end];
        let mut place = end - 1;
        if !after(list[place], new) {
            continue;
        }
        if end < NEAR {
            while place > 0 && after(list[place - 1], new) {
                place -= 1;
            }
        } else {
            loop {
                place -= 2;
                if !after(list[place], new) {
                    place += 1;
                    if !after(list[place], new) {
                        place += 1;
                    }
                    break;
                }
                if place == 0 {
                    break;
                }
                if place == 1 {
                    place = usize::from(after(new, list[0]));
                    break;
                }
            }
        }
        list[place..=end].rotate_right(1);
    }
}

/// Divides the list around a pivot, and sorts both parts.
fn divide(list: &mut [Number], after: &impl Fn(Number, Number) -> bool) {
    let (count, middle) = (list.len(), list.len() / 2);
    let quarter = middle / 2;
    if count < 1024 {
        in_places(list, &[0, middle, count - 1], after);
    } else {
        let places = [0, quarter, middle, middle + quarter, count - 1];
        in_places(list, &places, after);
    }
    list.swap(1, middle);
    let pivot = list[1];
    let (mut low, mut high) = (2, count - 1);
    'meet: loop {
        while after(pivot, list[low]) {
            low += 1;
            if low == high {
                break 'meet;
            }
        }
        high -= 1;
        if high == low {
            break;
        }
        while after(list[high], pivot) {
            high -= 1;
            if high == low {
                break 'meet;
            }
        }
        list.swap(low, high);
        low += 1;
        if low == high {
            break;
        }
    }
    list.swap(1, low - 1);
    let (before, rest) = list.split_at_mut(low);
    usort(&mut before[..low - 1], after);
    usort(rest, after);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(count: Number, odd: Number) -> Vec<Number> {
        let mut list: Vec<Number> = (1..=count).collect();
        // This comparison is inconsistent on purpose.
        usort(&mut list, &|a, b| {
            a != b && (a * 7 + b * (12 + odd) + a * b / 3) % 5 >= 2
        });
        list
    }

    #[test]
    fn what_is_no_order_is_sorted_as_by_php() {
        // Results of PHP 8.2 for:
        //
        //     usort($l, fn ($a, $b) => $a === $b ? 0
        //         : ((($a*7 + $b*(12+$odd) + intdiv($a*$b, 3)) % 5) < 2 ? -1 : 1))
        let expected: [(Number, Number, &[Number]); 14] = [
            (2, 1, &[2, 1]),
            (2, 2, &[1, 2]),
            (3, 1, &[2, 3, 1]),
            (3, 2, &[1, 3, 2]),
            (4, 1, &[2, 3, 1, 4]),
            (4, 2, &[1, 3, 4, 2]),
            (5, 1, &[2, 3, 5, 1, 4]),
            (5, 2, &[1, 3, 5, 4, 2]),
            (6, 1, &[2, 3, 6, 5, 1, 4]),
            (12, 1, &[9, 11, 8, 2, 7, 3, 6, 5, 1, 4, 10, 12]),
            (
                16,
                1,
                &[9, 11, 8, 2, 14, 7, 3, 6, 5, 1, 4, 10, 12, 16, 13, 15],
            ),
            (
                16,
                2,
                &[1, 3, 5, 4, 10, 6, 2, 8, 7, 12, 9, 14, 16, 11, 13, 15],
            ),
            (
                17,
                1,
                &[4, 15, 7, 11, 8, 5, 9, 13, 17, 2, 14, 10, 12, 3, 16, 1, 6],
            ),
            (
                17,
                2,
                &[12, 1, 3, 5, 16, 4, 6, 14, 2, 17, 8, 10, 11, 7, 13, 15, 9],
            ),
        ];
        for (count, odd, list) in expected {
            assert_eq!(sorted(count, odd), list, "{count}, {odd}");
        }
    }

    #[test]
    fn an_order_is_kept() {
        for count in [2, 5, 6, 16, 17, 100, 3000] {
            let mut list: Vec<Number> = (0..count).map(|number| number * 7919 % 3001).collect();
            usort(&mut list, &|a, b| a > b);
            assert!(list.is_sorted(), "{count}");
        }
    }
}

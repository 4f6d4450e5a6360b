//! Maximum-weight assignment of rows to columns: exact up to a bounded size, greedy beyond.

/// Up to this many rows and columns the assignment is exact; the work grows with the cube.
pub(super) const EXACT_MAX: usize = 64;

/// For each row the column that it gets. `weight(row, column)`: `None` or 0 and less = not together. The sum of the weights is the
/// greatest possible up to [`EXACT_MAX`] rows and columns; beyond, the heaviest pairs are taken first, ties by row, then column.
pub(super) fn assign(
    rows: usize,
    columns: usize,
    weight: impl Fn(usize, usize) -> Option<i64>,
) -> Vec<Option<usize>> {
    let weight = |row, column| weight(row, column).filter(|&weight| weight > 0);
    if rows <= EXACT_MAX && columns <= EXACT_MAX {
        exact(rows, columns, weight)
    } else {
        greedy(rows, columns, weight)
    }
}

fn greedy(rows: usize, columns: usize, weight: impl Fn(usize, usize) -> Option<i64>) -> Vec<Option<usize>> {
    let mut pairs: Vec<_> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .filter_map(|(row, column)| Some((std::cmp::Reverse(weight(row, column)?), row, column)))
        .collect();
    pairs.sort_unstable();
    let mut taken = vec![false; columns];
    let mut chosen = vec![None; rows];
    for (_, row, column) in pairs {
        if let (Some(slot @ None), Some(taken @ false)) = (chosen.get_mut(row), taken.get_mut(column)) {
            (*slot, *taken) = (Some(column), true);
        }
    }
    chosen
}

/// Grows the assignment row by row along the best augmenting path, found by relaxing every edge until nothing improves
/// (Bellman-Ford on the residual graph): simple, exact, and quick enough for the sizes that occur.
fn exact(rows: usize, columns: usize, weight: impl Fn(usize, usize) -> Option<i64>) -> Vec<Option<usize>> {
    let edges: Vec<Vec<(usize, i64)>> = (0..rows)
        .map(|row| (0..columns).filter_map(|column| Some((column, weight(row, column)?))).collect())
        .collect();
    let mut of_row: Vec<Option<usize>> = vec![None; rows];
    let mut of_column: Vec<Option<usize>> = vec![None; columns];
    // Each round finds the path that adds most; gains never grow from round to round, so the first without gain is the last.
    for _ in 0..rows {
        if !augment(&edges, &mut of_row, &mut of_column) {
            break;
        }
    }
    of_row
}

/// Flips the augmenting path with the greatest gain. Says whether there was one.
fn augment(
    edges: &[Vec<(usize, i64)>],
    of_row: &mut [Option<usize>],
    of_column: &mut [Option<usize>],
) -> bool {
    // Best gain of a path that ends by giving this column to a new row, and the row before it.
    let mut gain: Vec<Option<(i64, usize)>> = vec![None; of_column.len()];
    loop {
        let mut is_changed = false;
        for (row, edges) in edges.iter().enumerate() {
            let held = of_row.get(row).copied().flatten();
            let base = match held {
                None => 0,
                Some(column) => {
                    let Some((gain, _)) = gain.get(column).copied().flatten() else { continue };
                    gain - edges.iter().find(|edge| edge.0 == column).map_or(0, |edge| edge.1)
                }
            };
            for &(column, weight) in edges.iter().filter(|edge| Some(edge.0) != held) {
                if let Some(best) = gain.get_mut(column)
                    && best.is_none_or(|(old, _)| old < base + weight)
                {
                    *best = Some((base + weight, row));
                    is_changed = true;
                }
            }
        }
        if !is_changed {
            break;
        }
    }
    let free = |column: &usize| of_column.get(*column).is_some_and(Option::is_none);
    let ends = (0..of_column.len()).filter(free);
    let best = ends
        .filter_map(|column| Some((gain.get(column).copied().flatten()?.0, std::cmp::Reverse(column))))
        .max();
    let Some((1.., std::cmp::Reverse(end))) = best else {
        return false;
    };
    flip(end, &gain, of_row, of_column);
    true
}

fn flip(
    end: usize,
    gain: &[Option<(i64, usize)>],
    of_row: &mut [Option<usize>],
    of_column: &mut [Option<usize>],
) {
    let mut column = Some(end);
    while let Some(to) = column {
        let Some((_, row)) = gain.get(to).copied().flatten() else { break };
        let Some(slot) = of_row.get_mut(row) else { break };
        column = slot.replace(to);
        if let Some(slot) = of_column.get_mut(to) {
            *slot = Some(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(weights: &[Vec<i64>], chosen: &[Option<usize>]) -> i64 {
        chosen.iter().zip(weights).filter_map(|(column, row)| Some(row[(*column)?])).sum()
    }

    /// The greatest sum by trying everything.
    fn brute(weights: &[Vec<i64>], taken: &mut Vec<bool>) -> i64 {
        let Some((row, rest)) = weights.split_first() else { return 0 };
        let mut best = brute(rest, taken);
        for column in 0..row.len() {
            if row[column] > 0 && !taken[column] {
                taken[column] = true;
                best = best.max(row[column] + brute(rest, taken));
                taken[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn the_sum_is_the_greatest(weights in proptest::collection::vec(proptest::collection::vec(-5_i64..30, 5), 1..6)) {
            let chosen = assign(weights.len(), 5, |row, column| Some(weights[row][column]));
            let mut columns: Vec<_> = chosen.iter().flatten().collect();
            columns.sort();
            columns.dedup();
            prop_assert_eq!(columns.len(), chosen.iter().flatten().count());
            prop_assert_eq!(total(&weights, &chosen), brute(&weights, &mut vec![false; 5]));
        }
    }

    #[test]
    fn beyond_the_bound_the_heaviest_go_first() {
        let chosen = assign(EXACT_MAX + 1, 2, |row, column| Some(i64::try_from(row + column).unwrap()));
        assert_eq!(chosen[EXACT_MAX], Some(1));
        assert_eq!(chosen[EXACT_MAX - 1], Some(0));
        assert_eq!(chosen.iter().flatten().count(), 2);
    }
}

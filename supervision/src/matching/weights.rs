//! Maximum-weight assignment of rows to columns, exact whatever the size.
//!
//! Each row is taken in along the best augmenting path from it: work is where rows compete for columns, so rows far from one another cost
//! and change nothing of each other.

use std::collections::{BTreeMap, VecDeque};

/// The columns that a row may get, each with its weight, greater than 0.
pub(super) type Edges = Vec<(usize, i64)>;

/// For each row the column that it gets: the sum of the weights is the greatest possible. A row that could only take the place of
/// another for the same sum stays without a column; of several columns that add the same the first is taken.
pub(super) fn assign(rows: &[Edges], columns: usize) -> Vec<Option<usize>> {
    let mut assigned = Assigned { rows, of_row: vec![None; rows.len()], of_column: vec![None; columns] };
    for row in 0..rows.len() {
        assigned.take_in(row);
    }
    assigned.of_row
}

/// The best assignment of the rows that were taken in.
struct Assigned<'a> {
    rows: &'a [Edges],
    of_row: Vec<Option<usize>>,
    of_column: Vec<Option<usize>>,
}

/// The best known path that ends by giving a column to another row.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// What the sum grows by up to there, the row that held the column not yet counted off.
    gain: i64,
    /// Who gets the column.
    by: usize,
}

impl Assigned<'_> {
    /// Takes one row more in. The best assignment with it differs from the one before along one path from it, at most: rows on the
    /// path each take the column of the next, which is free at its end, or whose row goes without.
    fn take_in(&mut self, row: usize) {
        let reached = self.paths_from(row);
        let ends = reached.iter().map(|(&column, path)| {
            let holder = self.of_column.get(column).copied().flatten();
            let lost = holder.map_or(0, |holder| self.weight(holder, column));
            (path.gain - lost, holder.is_none(), std::cmp::Reverse(column))
        });
        if let Some((1.., _, std::cmp::Reverse(end))) = ends.max() {
            self.flip(end, &reached);
        }
    }

    /// The best paths to columns, found by relaxing what improves until nothing does. It ends, because no circle of rows that hold columns
    /// gains anything: what they hold is best already. For the same reason no path gains more behind a column than up to it, so that paths
    /// worse than the best end known are not followed.
    fn paths_from(&self, row: usize) -> BTreeMap<usize, Reached> {
        let mut reached: BTreeMap<usize, Reached> = BTreeMap::new();
        let mut next: VecDeque<(usize, i64)> = VecDeque::from([(row, 0)]);
        let mut best = 1;
        while let Some((by, gain)) = next.pop_front() {
            let held = self.of_row.get(by).copied().flatten();
            if let Some(better) = held.and_then(|held| reached.get(&held))
                && better.gain - held.map_or(0, |held| self.weight(by, held)) > gain
            {
                // Reached better since.
                continue;
            }
            let edges = self.rows.get(by).map(Vec::as_slice).unwrap_or_default();
            for &(column, weight) in edges.iter().filter(|(column, _)| Some(*column) != held) {
                let gain = gain + weight;
                if gain < best || reached.get(&column).is_some_and(|known| known.gain >= gain) {
                    continue;
                }
                reached.insert(column, Reached { gain, by });
                let holder = self.of_column.get(column).copied().flatten();
                let without = gain - holder.map_or(0, |holder| self.weight(holder, column));
                best = best.max(without);
                next.extend(holder.map(|holder| (holder, without)));
            }
        }
        reached
    }

    fn weight(&self, row: usize, column: usize) -> i64 {
        let edges = self.rows.get(row).map(Vec::as_slice).unwrap_or_default();
        edges.iter().find(|edge| edge.0 == column).map_or(0, |edge| edge.1)
    }

    /// Moves the rows of the path that ends at a column along by one, from its end to the row that was taken in.
    fn flip(&mut self, end: usize, reached: &BTreeMap<usize, Reached>) {
        if let Some(holder) = self.of_column.get(end).copied().flatten()
            && let Some(slot) = self.of_row.get_mut(holder)
        {
            *slot = None;
        }
        let mut column = Some(end);
        while let Some(to) = column {
            let Some(path) = reached.get(&to) else { break };
            let Some(slot) = self.of_row.get_mut(path.by) else { break };
            column = slot.replace(to);
            if let Some(slot) = self.of_column.get_mut(to) {
                *slot = Some(path.by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The edges of a table of weights.
    fn edges(weights: &[Vec<i64>]) -> Vec<Edges> {
        let of_row =
            |row: &Vec<i64>| row.iter().copied().enumerate().filter(|(_, weight)| *weight > 0).collect();
        weights.iter().map(of_row).collect()
    }

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
        fn the_sum_is_the_greatest(weights in proptest::collection::vec(proptest::collection::vec(-5_i64..30, 5), 1..7)) {
            let chosen = assign(&edges(&weights), 5);
            let mut columns: Vec<_> = chosen.iter().flatten().collect();
            columns.sort();
            columns.dedup();
            prop_assert_eq!(columns.len(), chosen.iter().flatten().count());
            prop_assert_eq!(total(&weights, &chosen), brute(&weights, &mut vec![false; 5]));
        }
    }

    #[test]
    fn a_chain_of_any_length_is_shifted_along_when_that_is_best() {
        // Each row would a little rather have its own column than the next; the last row has only the first.
        let size = 500;
        let mut rows: Vec<Edges> = (0..size).map(|row| vec![(row, 1_000), (row + 1, 999)]).collect();
        rows.push(vec![(0, 2_000)]);
        let chosen = assign(&rows, size + 1);
        assert_eq!(chosen[size], Some(0));
        assert!((0..size).all(|row| chosen[row] == Some(row + 1)));
    }

    #[test]
    fn nobody_gives_way_for_the_same_sum() {
        assert_eq!(assign(&[vec![(0, 7)], vec![(0, 7)]], 1), [Some(0), None]);
        assert_eq!(assign(&[vec![(1, 7), (0, 7)]], 2), [Some(0)]);
    }
}

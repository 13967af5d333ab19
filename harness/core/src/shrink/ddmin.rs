//! Delta debugging (Zeller and Hildebrandt, 2002): a subset of a list from which nothing can be taken.
use alloc::vec::Vec;

/// The smallest subset found for which `holds` says yes; it is asked only about smaller lists than the one that held before.
pub(super) fn ddmin<T: Clone>(all: &[T], holds: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = all.to_vec();
    if kept.is_empty() || holds(&[]) {
        return Vec::new();
    }
    let mut parts = 2;
    while kept.len() >= 2 {
        parts = parts.min(kept.len());
        let size = kept.len().div_ceil(parts);
        if let Some(alone) = kept.chunks(size).find(|part| part.len() < kept.len() && holds(part)).map(<[T]>::to_vec) {
            kept = alone;
            parts = 2;
        } else if let Some(rest) = without_a_part(&kept, size, holds) {
            kept = rest;
            parts = (parts - 1).max(2);
        } else if size == 1 {
            break;
        } else {
            parts *= 2;
        }
    }
    kept
}

fn without_a_part<T: Clone>(kept: &[T], size: usize, holds: &mut dyn FnMut(&[T]) -> bool) -> Option<Vec<T>> {
    // With two parts, the rest of one is the other, and that was asked.
    if kept.len() <= size * 2 {
        return None;
    }
    (0..kept.len()).step_by(size).find_map(|start| {
        let end = (start + size).min(kept.len());
        let rest: Vec<T> = kept[..start].iter().chain(&kept[end..]).cloned().collect();
        holds(&rest).then_some(rest)
    })
}

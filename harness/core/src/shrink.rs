//! Test-case reduction (delta debugging): cuts fleets, members, connections, steps, bytes and waits off a failing plan; judged again
//! after every cut, never assumed.
//!
//! The tree of a plan is cut, not the plan: what is left reads as a scenario, and [`Plan::read`](crate::plan::Plan::read) makes the
//! smaller plan of it. Nothing is renumbered: members keep their identity through `only`, steps through `index`, so that every
//! labelled stream of random numbers stays where it was. Same tree and same answers, same result.
use crate::document::Located;

mod ddmin;
mod mend;
mod passes;
#[cfg(test)]
mod tests;

/// The smallest tree that still fails, found by asking `fails` after every cut; stops after `budget` questions.
/// `tree` itself is taken to fail. Passes are repeated, largest cuts first, until none of them cuts anything.
pub fn shrink(tree: &Located, budget: u32, fails: &mut dyn FnMut(&Located) -> bool) -> Located {
    let mut cutter = Cutter { best: tree.clone(), left: budget, fails };
    mend::number_steps(&mut cutter.best);
    while cutter.left > 0 {
        let before = cutter.best.clone();
        for pass in passes::ALL {
            pass(&mut cutter);
        }
        if cutter.best == before {
            break;
        }
    }
    cutter.best
}

/// The best tree so far, and whom to ask about a smaller one.
struct Cutter<'a> {
    best: Located,
    left: u32,
    fails: &'a mut dyn FnMut(&Located) -> bool,
}

impl Cutter<'_> {
    /// Mends the references of a cut tree and asks about it; a tree that still fails becomes the best one. One question is left.
    fn accepts(&mut self, mut cut: Located) -> bool {
        mend::mend(&mut cut);
        if cut == self.best {
            return false;
        }
        self.left -= 1;
        let fails = (self.fails)(&cut);
        if fails {
            self.best = cut;
        }
        fails
    }

    /// Changes a copy of the best tree and asks about it. No copy is made where no question is left: plans are large.
    fn tries(&mut self, change: impl FnOnce(&mut Located)) -> bool {
        if self.left == 0 {
            return false;
        }
        let mut cut = self.best.clone();
        change(&mut cut);
        self.accepts(cut)
    }
}

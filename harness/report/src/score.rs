//! What a CVSS 4.0 vector comes to.
use cvss::v4::{Score, Vector};

/// The score, 0.0 to 10.0, and its word: `8.7`, `high`. `None` where there is no vector, or none that reads.
pub(crate) fn of(vector: &str) -> Option<(f64, String)> {
    let vector: Vector = vector.parse().ok()?;
    let score = Score::from(&vector);
    let word = score.clone().severity().to_string().to_lowercase();
    Some((score.value(), word))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_vector_has_a_score_and_a_word() {
        let full = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H";
        assert_eq!(super::of(full), Some((10.0, "critical".into())));
        let none = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N";
        assert_eq!(super::of(none), Some((0.0, "none".into())));
        assert_eq!(super::of("CVSS:4.0/AV:N"), None);
        assert_eq!(super::of(""), None);
    }
}

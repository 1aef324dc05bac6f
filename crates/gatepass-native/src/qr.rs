//! A QR code as text.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// The code with its quiet zone, in lines of half blocks; none where it is wider than this, or the text is too long.
///
/// Light modules are drawn and dark ones left out, as a terminal with light text on dark ground needs it.
pub(crate) fn qr(text: &str, columns: usize) -> Option<String> {
    const QUIET: usize = 2 * 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    if code.width() + QUIET > columns {
        return None;
    }
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use qrcode::Color;

    use super::*;

    #[test]
    fn light_modules_are_drawn_with_a_quiet_zone_around() {
        let text = "https://auth.example.com/device?user_code=WDJB-MJHT";
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let width = code.width();
        let drawn = qr(text, width + 8).unwrap();
        assert!(drawn.lines().all(|line| line.chars().count() == width + 8), "{drawn}");

        let is_drawn = |x: usize, y: usize| match drawn.lines().nth(y / 2).unwrap().chars().nth(x).unwrap() {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        for y in 0..width + 8 {
            for x in 0..width + 8 {
                let quiet = [x, y].iter().any(|at| !(4..width + 4).contains(at));
                let light = quiet || code[(x - 4, y - 4)] == Color::Light;
                assert_eq!(is_drawn(x, y), light, "at {x}, {y}:\n{drawn}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let text = "https://auth.example.com/device?user_code=WDJB-MJHT";
        assert!(qr(text, 37).is_some());
        assert_eq!(qr(text, 36), None);
        assert_eq!(qr(&"x".repeat(4000), 1000), None);
    }
}

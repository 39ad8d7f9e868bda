//! Where a finding is looked at: pages of YouTube and YouTube Studio.

use std::fmt::Display;

/// The asset's page in Studio.
pub fn asset(id: impl Display) -> String {
    format!("https://studio.youtube.com/asset/{id}")
}

/// The claims and restrictions of a video in Studio.
pub fn video(id: impl Display) -> String {
    format!("https://studio.youtube.com/video/{id}/copyright")
}

/// The channel as everybody sees it.
pub fn channel(id: impl Display) -> String {
    format!("https://www.youtube.com/channel/{id}")
}

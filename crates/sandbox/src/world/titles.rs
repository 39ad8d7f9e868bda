//! Names and titles as people and attackers write them.

/// Titles that break what trusts them: formulas, markup, line breaks, quotes, direction marks, terminal escapes,
/// bytes that are no UTF-8.
pub(crate) const HOSTILE_TITLES: [&[u8]; 22] = [
    b"=HYPERLINK(\"http://evil.example\",\"free\")",
    b"=cmd|' /C calc'!A0",
    b"+1+1+cmd",
    b"-2+3+cmd|' /C notepad'!A0",
    b"@SUM(1+1)*cmd",
    b"\tindented by a tab",
    b"<script>alert('x')</script>",
    b"<img src=x onerror=alert(1)>",
    b"Tom & Jerry's \"Greatest\" Hits, Vol. 2",
    b"\"quoted\" from the first character",
    b"a title\nin two lines",
    b"a title\r\nwith a carriage return, and a comma",
    b"2025-07-29T00:00:00Z ERROR forged log line\n2025-07-29 INFO all is well",
    "\u{202e}gnp.exe looks harmless".as_bytes(),
    "zero\u{200b}width\u{feff}spaces".as_bytes(),
    b"\x1b[2J\x1b[31mterminal escape\x1b[0m",
    b"bell \x07 and backspace \x08",
    b"latin-1 caf\xe9 is no UTF-8",
    b"cut in the middle of a letter \xf0\x9f\x8e",
    "\u{1f3b5}\u{1f469}\u{200d}\u{1f3a4} na\u{ef}ve \u{65e5}\u{672c}\u{8a9e} \u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629}".as_bytes(),
    b"{{7*7}} ${7*7} %s%n %00 ../../etc/passwd",
    b"'; DROP TABLE channels; --",
];

/// Display names of the sheet that are to be stored exactly as they are.
pub(crate) const HOSTILE_NAMES: [&str; 10] = [
    "=2+5+cmd|' /C calc'!A0",
    "Band, The",
    "The \"Quotes\"",
    "<b>Bold</b> Records",
    "plain \u{202e}drawkcab",
    "Zo\u{eb} \u{2014} Official \u{1f3a7}",
    "two\nlines",
    "@everyone",
    "\u{645}\u{648}\u{633}\u{64a}\u{642}\u{649}",
    "O'Connor & Sons; DROP TABLE",
];

/// First and second words of ordinary titles.
pub(crate) const OPENINGS: [&str; 12] = [
    "Midnight", "Golden", "Broken", "Summer", "Electric", "Silent", "Neon", "Velvet", "Paper", "Crystal",
    "Desert", "Northern",
];
/// See [`OPENINGS`].
pub(crate) const ENDINGS: [&str; 12] = [
    "Drive (Official Video)",
    "Hearts (Live at the Old Mill)",
    "River [Lyric Video]",
    "Roads - Acoustic Session",
    "Dreams ft. The Others",
    "Train (Remastered 2019)",
    "Letters (Audio)",
    "Skies - Extended Mix",
    "Garden (Behind the Scenes)",
    "Echoes | Full Album",
    "Letters to Nobody (Visualizer)",
    "Fire (Slowed + Reverb)",
];

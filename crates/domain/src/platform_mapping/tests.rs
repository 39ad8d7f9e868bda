use std::fmt::Write as _;

use super::*;
use crate::fixture::fixture;
use crate::refusal::{Refusal, RefusalKind};
use proptest::prelude::*;
use rstest::rstest;

/// A mapping that has what every mapping must have, with more behind it.
fn mapping(more: &str) -> String {
    format!(
        "name = \"own\"\nplatform = \"own\"\n[recognise]\ncolumns = [\"Track\", \"Plays\"]\n\
         [date]\ncolumn = \"Day\"\n[columns]\nisrc = [\"Track\"]\n[metrics]\n\"Plays\" = \"plays\"\n{more}"
    )
}

fn with(text: &str) -> Mappings {
    Mappings::built_in().unwrap().with([("own.toml", text)]).unwrap()
}

fn told(mappings: &Mappings, file: &str, bytes: &[u8]) -> Result<String, Refusal> {
    let mut file = AnalyticsFile::open(mappings, file, bytes)?;
    let mut told = format!("{}\n", file.mapping().unwrap_or("normal form"));
    while let Some(line) = file.next_row()? {
        match line {
            AnalyticsLine::Row(row) => {
                let mut values = String::new();
                let read = row.values(|value| {
                    let _ = writeln!(
                        values,
                        "{}: {} {:?} {} {} {} {:?} {}",
                        row.line(),
                        value.date,
                        value.span,
                        value.platform,
                        value.metric,
                        value.value,
                        value.key,
                        value.country
                    );
                });
                match read {
                    Ok(()) => told.push_str(&values),
                    Err(fault) => {
                        assert_eq!(values, "", "a row with a fault gave something away");
                        let _ = writeln!(told, "{fault} [{}]", fault.code);
                    }
                }
            }
            AnalyticsLine::Bad(bad) => {
                let _ = writeln!(told, "{}: {}", bad.line(), bad.code);
            }
        }
    }
    Ok(told)
}

fn of_fixture(name: &str) -> String {
    told(&Mappings::built_in().unwrap(), name, fixture(&format!("platforms/{name}"))).unwrap()
}

#[test]
fn spotify_for_artists_tells_the_songs_of_a_week() {
    insta::assert_snapshot!(of_fixture("spotify_for_artists-songs-2026-11-22.csv"), @r#"
        spotify_for_artists
        2: 2026-11-22 Week spotify saves 36 Isrc(Isrc(USABC2600001)) 
        2: 2026-11-22 Week spotify streams 1200 Isrc(Isrc(USABC2600001)) 
        3: 2026-11-22 Week spotify streams 40 Isrc(Isrc(USABC2600002)) 
        line 4: column "isrc": the row has neither ISRC nor UPC nor custom ID nor asset ID. Give one of them: titles are never used to join. [key_missing]
        line 5: column "value": column "streams": "1,2" is not a number (places behind "."). Write the number as the mapping's [numbers] has it, or mend the mapping. [value_invalid]
        "#);
}

#[test]
fn apple_music_for_artists_tells_the_songs_of_a_week_without_their_total() {
    insta::assert_snapshot!(of_fixture("apple_music_for_artists-2026-11-22.csv"), @r#"
        apple_music_for_artists
        3: 2026-11-22 Week apple_music plays 13200 Isrc(Isrc(USABC2600001)) 
        3: 2026-11-22 Week apple_music purchases 2 Isrc(Isrc(USABC2600001)) 
        3: 2026-11-22 Week apple_music radio_spins 3 Isrc(Isrc(USABC2600001)) 
        3: 2026-11-22 Week apple_music shazams 80 Isrc(Isrc(USABC2600001)) 
        4: 2026-11-22 Week apple_music plays 40 Isrc(Isrc(USABC2600002)) 
        4: 2026-11-22 Week apple_music purchases 0 Isrc(Isrc(USABC2600002)) 
        4: 2026-11-22 Week apple_music shazams 8 Isrc(Isrc(USABC2600002))
        "#);
}

#[test]
fn tiktok_tells_each_day_and_a_row_is_used_as_a_whole_or_not_at_all() {
    insta::assert_snapshot!(of_fixture("tiktok.csv"), @r#"
        tiktok
        2: 2026-11-16 Day tiktok comments 12 Isrc(Isrc(USABC2600001)) US
        2: 2026-11-16 Day tiktok likes 90100 Isrc(Isrc(USABC2600001)) US
        2: 2026-11-16 Day tiktok shares 4 Isrc(Isrc(USABC2600001)) US
        2: 2026-11-16 Day tiktok creations 12 Isrc(Isrc(USABC2600001)) US
        2: 2026-11-16 Day tiktok views 1204331 Isrc(Isrc(USABC2600001)) US
        3: 2026-11-16 Day tiktok comments 1 Isrc(Isrc(USABC2600001)) DE
        3: 2026-11-16 Day tiktok favorites 2 Isrc(Isrc(USABC2600001)) DE
        3: 2026-11-16 Day tiktok likes 9 Isrc(Isrc(USABC2600001)) DE
        3: 2026-11-16 Day tiktok shares 0 Isrc(Isrc(USABC2600001)) DE
        3: 2026-11-16 Day tiktok creations 1 Isrc(Isrc(USABC2600001)) DE
        3: 2026-11-16 Day tiktok views 100 Isrc(Isrc(USABC2600001)) DE
        line 4: column "date": column "Date": "16.11.2026" is not a date (%Y-%m-%d). Write the day as the mapping's date.format has it, or mend the mapping. [date_invalid]
        line 5: column "value": the row has no number at all. Give one, or leave the row out. [value_missing]
        "#);
}

#[test]
fn youtube_analytics_tells_the_assets_of_each_day() {
    insta::assert_snapshot!(of_fixture("youtube_analytics.csv"), @r#"
        youtube_analytics
        2: 2026-11-16 Day youtube comments 1 AssetId(AssetId(A000000000000001)) US
        2: 2026-11-16 Day youtube likes 7 AssetId(AssetId(A000000000000001)) US
        2: 2026-11-16 Day youtube shares 2 AssetId(AssetId(A000000000000001)) US
        2: 2026-11-16 Day youtube views 100 AssetId(AssetId(A000000000000001)) US
        2: 2026-11-16 Day youtube watch_time_minutes 301.25 AssetId(AssetId(A000000000000001)) US
        line 3: column "isrc": the row has neither ISRC nor UPC nor custom ID nor asset ID. Give one of them: titles are never used to join. [key_missing]
        line 4: column "asset_id": "B17" is not an asset ID (A and 15 or 16 digits, or 11 characters of A-Z a-z 0-9 _ -). Mend the asset ID, or give an ISRC, UPC or custom ID. [asset_id_invalid]
        "#);
}

#[test]
fn youtube_studio_tells_the_assets_of_a_week_whose_export_names_the_day_behind_it() {
    insta::assert_snapshot!(of_fixture("youtube_studio-2026-11-16_2026-11-23.csv"), @r#"
        youtube_studio
        3: 2026-11-22 Week youtube comments 3 AssetId(AssetId(A000000000000001)) 
        3: 2026-11-22 Week youtube likes 690 AssetId(AssetId(A000000000000001)) 
        3: 2026-11-22 Week youtube shares 2 AssetId(AssetId(A000000000000001)) 
        3: 2026-11-22 Week youtube views 100000 AssetId(AssetId(A000000000000001)) 
        3: 2026-11-22 Week youtube watch_time_hours 4950.25 AssetId(AssetId(A000000000000001)) 
        4: 2026-11-22 Week youtube likes 10 AssetId(AssetId(A000000000000002)) 
        4: 2026-11-22 Week youtube shares 0 AssetId(AssetId(A000000000000002)) 
        4: 2026-11-22 Week youtube views 1000 AssetId(AssetId(A000000000000002)) 
        4: 2026-11-22 Week youtube watch_time_hours 50.25 AssetId(AssetId(A000000000000002))
        "#);
}

#[test]
fn the_generic_mapping_takes_any_platform() {
    insta::assert_snapshot!(of_fixture("generic.csv"), @r#"
        generic
        2: 2026-11-16 Day deezer likes 4 Isrc(Isrc(USABC2600001)) FR
        2: 2026-11-16 Day deezer plays 120 Isrc(Isrc(USABC2600001)) FR
        2: 2026-11-16 Day deezer revenue 0.0312 Isrc(Isrc(USABC2600001)) FR
        3: 2026-11-16 Day deezer plays 7 Upc("00602445790920") FR
        line 4: column "platform": the cell is empty. Name the platform. [platform_missing]
        5: 2026-11-17 Day audius likes 0 CustomId("alpha") WW
        5: 2026-11-17 Day audius plays 5 CustomId("alpha") WW
        "#);
}

#[test]
fn the_normal_form_goes_before_every_mapping() {
    let text = fixture("platform_file/small.csv");
    assert!(told(&with(&mapping("")), "x.csv", text).unwrap().starts_with("normal form\n"));
}

#[rstest]
#[case("songs-2026-11-22.csv", "song,listeners,streams,saves,release_date\na,1,2,3,2026-01-01\n")]
#[case(
    "Content 2026-11-16_2026-11-23 x/Table data.csv",
    "Content,Video title,Views,Watch time (hours)\nTotal,,1,2\n"
)]
fn an_export_that_has_titles_alone_is_refused_and_never_joined_by_them(
    #[case] file: &str,
    #[case] text: &str,
) {
    let refusal = told(&Mappings::built_in().unwrap(), file, text.as_bytes()).unwrap_err();
    assert!(matches!(refusal.kind, RefusalKind::MissingColumn), "{refusal}");
    assert!(refusal.to_string().contains("titles are never used to join"), "{refusal}");
}

#[rstest]
#[case(
    "x.csv",
    "Date,ISRC,Video views,Likes\n",
    "x.csv:1: column \"Video creations\": no mapping knows it; found: \"Date\", \"ISRC\", \"Video views\", \"Likes\"; \
     nearest is \"tiktok\" (mappings/tiktok.toml), and it misses \"Video creations\". Export it as docs/PLATFORMS.md says, \
     or write a mapping for it (--mappings, MAPPINGS_URI)."
)]
#[case(
    "x.csv",
    "date,isrc,metric,value\n",
    "x.csv:1: column \"platform\": the required column is missing; found: \"date\", \"isrc\", \"metric\", \"value\"; no \
     mapping knows it, nearest is the normal form, and it misses \"platform\". Add the column, or give the file that has \
     it. Export it as docs/PLATFORMS.md says, or write a mapping for it (--mappings, MAPPINGS_URI)."
)]
#[case(
    "x.csv",
    "Titel;Anzahl\n",
    "x.csv:1: column \"date\": the required column is missing; found: \"Titel;Anzahl\"; no mapping knows it, and none of \
     its columns is one that a mapping asks for. Add the column, or give the file that has it. Export it as \
     docs/PLATFORMS.md says, or write a mapping for it (--mappings, MAPPINGS_URI)."
)]
fn a_file_that_no_mapping_knows_is_refused_with_what_came_nearest(
    #[case] file: &str,
    #[case] text: &str,
    #[case] message: &str,
) {
    let refusal = told(&Mappings::built_in().unwrap(), file, text.as_bytes()).unwrap_err();
    assert_eq!(refusal.to_string(), message);
}

#[test]
fn of_two_mappings_that_ask_for_the_same_none_is_taken_and_one_that_asks_for_more_is() {
    let text = b"Day,Track,Plays\n2026-11-16,USABC2600001,5\n";
    let other = mapping("").replace("\"own\"", "\"other\"");
    let all = with(&mapping("")).with([("other.toml", &other)]).unwrap();
    let refusal = told(&all, "x.csv", text).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "x.csv: two mappings recognise it equally well: \"other\" (other.toml) and \"own\" (own.toml). Name more columns, or \
         a file name, under [recognise] of one of the two."
    );
    for better in [
        other.replace("[\"Track\", \"Plays\"]", "[\"Track\", \"Plays\", \"Day\"]"),
        other.replace("[\"Track\", \"Plays\"]", "[\"Track\", \"Plays\"]\nfile_name = \"x*\""),
    ] {
        let all = with(&mapping("")).with([("other.toml", &better)]).unwrap();
        assert!(told(&all, "x.csv", text).unwrap().starts_with("other\n"), "{better}");
    }
}

#[test]
fn a_users_mapping_replaces_the_one_of_its_name_and_no_name_is_given_twice() {
    let built_in = Mappings::built_in().unwrap();
    let own = mapping("").replace("\"own\"", "\"tiktok\"");
    let replaced = built_in.clone().with([("own.toml", &own)]).unwrap();
    assert_eq!(replaced.names().collect::<Vec<_>>(), built_in.names().collect::<Vec<_>>());
    let read = told(&replaced, "x.csv", b"Day,Track,Plays\n2026-11-16,USABC2600001,5\n").unwrap();
    assert!(read.starts_with("tiktok\n2: 2026-11-16 Day tiktok plays 5 "), "{read}");
    let fault = built_in.with([("a.toml", &own), ("b.toml", &own)]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "b.toml: key \"name\": a.toml has the name \"tiktok\" too. Give one of the two another name."
    );
}

/// A German sheet with a preamble, semicolons, decimal commas and a long form.
const LONG: &str = r#"
name = "kennzahlen"
platform_column = "Portal"
[recognise]
columns = ["Kennzahl", "Wert"]
[file]
delimiter = "semicolon"
header_within = 5
[date]
column = "Tag"
format = "%d.%m.%Y"
[columns]
isrc = ["ISRC"]
[constants]
country = "DE"
[long]
metric = "Kennzahl"
value = "Wert"
[numbers]
decimal = ","
thousands = "."
[[leave_out]]
column = "Tag"
values = ["Summe", ""]
"#;

#[test]
fn a_preamble_another_delimiter_and_another_countrys_numbers_are_data_too() {
    let text = "Bericht \"November\r\n\r\nTag;Portal;ISRC;Kennzahl;Wert\r\n16.11.2026;Deezer;USABC2600001;Streams;1.234,5\r\n\
                Summe;;;;1.234,5\r\n;x;;;\r\n17.11.2026;Deezer;USABC2600001;Streams;1,2,3\r\n";
    insta::assert_snapshot!(told(&with(LONG), "x.csv", text.as_bytes()).unwrap(), @r#"
        kennzahlen
        4: 2026-11-16 Day deezer streams 1234.5 Isrc(Isrc(USABC2600001)) DE
        line 7: column "value": column "Wert": "1,2,3" is not a number (places behind ",", groups of three with "."). Write the number as the mapping's [numbers] has it, or mend the mapping. [value_invalid]
        "#);
    let behind = LONG.replace("header_within = 5", "skip_lines = 2");
    assert_eq!(
        told(&with(&behind), "x.csv", text.as_bytes()).unwrap(),
        told(&with(LONG), "x.csv", text.as_bytes()).unwrap()
    );
}

#[test]
fn v07_a_column_that_counts_twice_is_refused() {
    let mappings = Mappings::built_in().unwrap();
    for (text, column) in [
        ("Song,ISRC,Plays,Shazams,Purchases,Song Purchases\n", "Song Purchases"),
        ("Song,ISRC,Plays,plays,Shazams\n", "Plays"),
        ("Song,ISRC,isrc,Plays,Shazams\n", "ISRC"),
    ] {
        let refusal = told(&mappings, "a-2026-11-22.csv", text.as_bytes()).unwrap_err();
        assert!(matches!(refusal.kind, RefusalKind::DuplicateColumn), "{refusal}");
        assert_eq!(refusal.column.as_deref(), Some(column), "{refusal}");
    }
}

#[rstest]
#[case(
    "name = \"own\"",
    "name = \"Own!\"",
    "m.toml:1: key \"name\": \"Own!\" is no name. Use small letters, digits and _."
)]
#[case("platform = \"own\"", "platfrom = \"own\"", "m.toml:2: unknown field `platfrom`, expected one of")]
#[case("platform = \"own\"", "platform = 7", "m.toml:2: invalid type: integer `7`, expected a string.")]
#[case(
    "platform = \"own\"",
    "",
    "m.toml: key \"platform\": the platform is said by none or by both of platform and"
)]
#[case("[\"Track\", \"Plays\"]", "[]", "m.toml:4: key \"recognise.columns\": it is empty.")]
#[case(
    "[\"Track\", \"Plays\"]",
    "[\"Track\", \"track\"]",
    "m.toml:4: key \"recognise.columns\": \"track\" stands there twice."
)]
#[case(
    "column = \"Day\"",
    "column = \"Day\"\nformat = \"%Y-%m\"",
    "m.toml:7: key \"date.format\": \"%Y-%m\" tells no whole day."
)]
#[case(
    "column = \"Day\"",
    "column = \"Day\"\ntotals = \"month\"",
    "m.toml:7: unknown variant `month`, expected one of"
)]
#[case(
    "column = \"Day\"",
    "column = \"Day\"\nfrom_file_name = true",
    "m.toml:6: key \"date.column\": the day is said by none or by both"
)]
#[case("isrc = [\"Track\"]", "", "m.toml:7: key \"columns\": no column says which recording a row is about.")]
#[case("\"Plays\" = \"plays\"", "", "m.toml:9: key \"metrics\": no column is named.")]
#[case(
    "\"Plays\" = \"plays\"",
    "\"Plays\" = \"So many\"",
    "m.toml:9: key \"metrics\": \"So many\", for column \"Plays\", is no metric."
)]
#[case(
    "[metrics]",
    "[long]\nmetric = \"a\"\nvalue = \"b\"\n[metrics]",
    "m.toml:12: key \"metrics\": what is counted is said by none or by both"
)]
#[case(
    "[metrics]",
    "[file]\nskip_lines = 101\n[metrics]",
    "m.toml:10: key \"file.skip_lines\": it is more than 100."
)]
#[case(
    "[metrics]",
    "[file]\nskip_lines = 1\nheader_within = 3\n[metrics]",
    "m.toml:11: key \"file.header_within\": file.skip_lines is there too."
)]
#[case(
    "[metrics]",
    "[file]\ndelimiter = \"pipe\"\n[metrics]",
    "m.toml:10: unknown variant `pipe`, expected one of"
)]
#[case("[metrics]", "[constants]\nisrc = \"x\"\n[metrics]", "key \"constants.isrc\": \"x\" is not an ISRC")]
#[case(
    "[metrics]",
    "[numbers]\ndecimal = \",\"\nthousands = \",\"\n[metrics]",
    "m.toml:11: key \"numbers.thousands\": it is no mark between"
)]
#[case(
    "[metrics]",
    "[[leave_out]]\ncolumn = \"Track\"\nvalues = []\n[metrics]",
    "m.toml:11: key \"leave_out.values\": it is empty."
)]
fn a_fault_of_a_mapping_names_file_line_key_and_remedy(
    #[case] from: &str,
    #[case] to: &str,
    #[case] message: &str,
) {
    let text = mapping("");
    assert!(text.contains(from));
    let fault = Mapping::parse("m.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(fault.contains(message), "{fault}");
    assert!(fault.starts_with("m.toml:") && fault.ends_with('.'), "{fault}");
}

prop_compose! {
    fn counted()(
        day in 1_i8..=28,
        track in 0_u32..9_999_999,
        values in proptest::collection::vec(proptest::option::of((0_u64..10_000_000_000, 0_u32..1000)), 3),
    ) -> (i8, u32, Vec<Option<(u64, u32)>>) {
        (day, track, values)
    }
}

const WIDE: &str = r#"
name = "wide"
platform = "Deezer"
[recognise]
columns = ["Tag", "A", "B", "C"]
[file]
delimiter = "tab"
[date]
column = "Tag"
format = "%d/%m/%Y"
[columns]
isrc = ["Aufnahme"]
[metrics]
A = "plays"
B = "likes"
C = "revenue"
[numbers]
decimal = ","
thousands = " "
"#;

/// A number with blanks between its groups and a comma before its places.
fn grouped(whole: u64, places: u32) -> String {
    let digits = whole.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let mut groups: Vec<&str> = Some(head).filter(|head| !head.is_empty()).into_iter().collect();
    groups.extend(rest.as_bytes().chunks(3).map(|group| std::str::from_utf8(group).unwrap()));
    format!("{},{places:03}", groups.join(" "))
}

/// The block of a language that stands so many blocks of it into the document.
fn block<'a>(document: &'a str, language: &str, number: usize) -> &'a str {
    let start = format!("```{language}\n");
    let rest = document.split(start.as_str()).nth(number).unwrap();
    rest.split("```").next().unwrap()
}

#[test]
fn the_documents_own_mapping_makes_of_its_export_what_the_document_says() {
    let document = include_str!("../../../../docs/PLATFORMS.md");
    let mappings = with(block(document, "toml", 1));
    let rows = |name: &str, text: &str| -> Vec<String> {
        let told = told(&mappings, name, text.as_bytes()).unwrap();
        let mut rows: Vec<String> =
            told.lines().skip(1).map(|row| row.split_once(": ").unwrap().1.to_owned()).collect();
        rows.sort_unstable();
        rows
    };
    let made = rows("boomplay-kw47.csv", block(document, "csv", 1));
    assert_eq!((made.len(), &made), (8, &rows("normal.csv", block(document, "csv", 2))));
}

#[test]
fn the_document_has_every_mapping_with_the_columns_by_which_it_is_recognised() {
    let document = include_str!("../../../../docs/PLATFORMS.md");
    for mapping in Mappings::built_in().unwrap().all {
        let columns: Vec<String> = mapping.recognise.columns.iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| `{}` | {} |", mapping.name, columns.join(", "));
        assert!(document.contains(&row), "{row}");
        assert_eq!(mapping.file, format!("mappings/{}.toml", mapping.name));
    }
}

proptest! {
    #[test]
    fn a_wide_file_through_its_mapping_is_the_long_one_in_the_normal_form(
        rows in proptest::collection::vec(counted(), 1..20),
    ) {
        let mut wide = "Tag\tAufnahme\tA\tB\tC\n".to_owned();
        let mut long = "date,platform,isrc,metric,value\n".to_owned();
        for (day, track, values) in &rows {
            let cells: Vec<String> =
                values.iter().map(|one| one.map_or_else(String::new, |(whole, places)| grouped(whole, places))).collect();
            let _ = writeln!(wide, "{day:02}/11/2026\tUSABC{track:07}\t{}", cells.join("\t"));
            for (metric, value) in ["plays", "likes", "revenue"].into_iter().zip(values) {
                if let Some((whole, places)) = value {
                    let _ = writeln!(long, "2026-11-{day:02},deezer,USABC{track:07},{metric},{whole}.{places:03}");
                }
            }
        }
        let rows_of = |text: &str| -> Vec<String> {
            let told = told(&with(WIDE), "x.csv", text.as_bytes());
            // A long file without a row is refused as empty; its wide form has rows without a number, each a fault.
            let told = told.unwrap_or_default();
            let rows = told.lines().skip(1).filter(|line| !line.contains("[value_missing]"));
            rows.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
        };
        prop_assert_eq!(rows_of(&wide), rows_of(&long));
    }

    #[test]
    fn no_bytes_make_a_mapping_or_its_reader_panic(text in ".{0,300}", bytes: Vec<u8>) {
        let _ = Mapping::parse("m.toml", &text);
        let mappings = with(LONG);
        for header in ["", "song,streams,listeners,isrc\n", "x\nKennzahl;Wert;Tag;ISRC;Portal\n", "Date,ISRC,Video creations,Video views\n"] {
            let mut file = header.as_bytes().to_vec();
            file.extend(&bytes);
            let _ = told(&mappings, "songs-2026-11-22.csv", &file);
        }
    }
}

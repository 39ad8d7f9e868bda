//! The weekly report of the largest content owner planned for: 79,000 assets (some 190 MB), a million videos (330 MB) and
//! five million claims (2 GB), by the real program, twice: a first week, and a second one that is compared with it.
//!
//! Prints figures, judges nothing: `cargo bench -p claims-report`. The measure beside them is one pass of the `csv` crate
//! over the same bytes, once before and once after. Other programs of the machine come and go, so each week is made three
//! times, from the same history; the median of the three stands below them.
//! `cargo bench -p claims-report -- 0.1` makes everything a tenth; the files need 2.6 GB of room for temporary files.

#![expect(clippy::print_stdout, reason = "what a bench has to say stands on stdout")]

use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// A week's files.
struct Week {
    monday: &'static str,
    assets: PathBuf,
    videos: PathBuf,
    claims: PathBuf,
}

/// How many things there are.
#[derive(Clone, Copy)]
struct Size {
    assets: u64,
    videos: u64,
    claims: u64,
}

/// So many times each week is made.
const TIMES: usize = 3;

fn main() -> Result<()> {
    let scale = std::env::args().skip(1).find_map(|argument| argument.parse::<f64>().ok()).unwrap_or(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size of a bench")]
    let scaled = |count: f64| ((count * scale) as u64).max(10);
    let size = Size { assets: scaled(79_000.0), videos: scaled(1_000_000.0), claims: scaled(5_000_000.0) };
    let folder = tempfile::tempdir()?;
    let bus = serve_bus()?;
    println!("weekly report: {} assets, {} videos, {} claims", size.assets, size.videos, size.claims);
    println!("{:<22} {:>9} {:>9} {:>11} {:>9}", "", "size", "seconds", "over csv", "peak");
    for (index, monday) in ["2020-01-06", "2020-01-13"].into_iter().enumerate() {
        let week = write(folder.path(), size, monday, index as u64)?;
        let bytes = [&week.assets, &week.videos, &week.claims]
            .into_iter()
            .map(|path| Ok(path.metadata()?.len()))
            .sum::<Result<u64>>()?;
        let mib = bytes as f64 / f64::from(1 << 20);
        let name = if index == 0 { "first week" } else { "second week, compared" };
        let (known, state) = (folder.path().join("known"), folder.path().join("state"));
        let mut ratios = Vec::new();
        for _ in 0..TIMES {
            restore(&known, &state)?;
            // The files are in the page cache by then, as they are for the program.
            let before = csv_pass(&week)?;
            let (seconds, peak_kib) = run(&state, &week, &bus)?;
            let after = csv_pass(&week)?;
            for pass in [before, after] {
                println!("{:<22} {mib:>5.0} MiB {pass:>9.2}", "one pass of csv");
            }
            let over = seconds / f64::midpoint(before, after);
            println!("{name:<22} {mib:>5.0} MiB {seconds:>9.2} {over:>10.2}x {:>5} MiB", peak_kib >> 10);
            ratios.push(over);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{:<22} {:>9} {:>9} {:>10.2}x", "  median", "", "", ratios[TIMES / 2]);
        restore(&state, &known)?;
    }
    Ok(())
}

/// Makes one folder what another is; nothing where there is no such.
fn restore(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            restore(&path, &copy)?;
        } else {
            std::fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}

/// One pass over the same bytes, as fast as the crate goes.
fn csv_pass(week: &Week) -> Result<f64> {
    let started = Instant::now();
    for path in [&week.assets, &week.videos, &week.claims] {
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(File::open(path)?);
        let mut record = csv::ByteRecord::new();
        let mut cells = 0_usize;
        while reader.read_byte_record(&mut record)? {
            cells += record.len();
        }
        ensure!(cells > 0, "nothing was read");
    }
    Ok(started.elapsed().as_secs_f64())
}

/// What the image sets for the program, a line each.
fn of_image() -> Result<Vec<(&'static str, &'static str)>> {
    let lines = include_str!("../../../Dockerfile.claims").lines();
    let set: Option<Vec<_>> =
        lines.filter_map(|line| line.strip_prefix("ENV ")).map(|set| set.split_once('=')).collect();
    let set = set
        .filter(|set| !set.is_empty())
        .context("Dockerfile.claims sets nothing in the form ENV NAME=VALUE")?;
    let is_plain = |value: &str| !value.contains([' ', '"', '\'', '\\', '$']);
    ensure!(
        set.iter().all(|(_, value)| is_plain(value)),
        "Dockerfile.claims sets more than plain values: {set:?}"
    );
    Ok(set)
}

/// The program over one week: its seconds and its peak memory.
fn run(state: &Path, week: &Week, bus: &str) -> Result<(f64, u64)> {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_claims-report"))
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")])
        .envs(of_image()?)
        .env("AWS_ENDPOINT_URL_EVENTBRIDGE", bus)
        .env("STATE_URI", state)
        .env("REPORT_WEEK", week.monday)
        .arg("--assets")
        .arg(&week.assets)
        .arg("--videos")
        .arg(&week.videos)
        .arg("--claims")
        .arg(&week.claims)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    loop {
        peak_kib = peak_kib.max(high_water_mark_kib(&status).unwrap_or(0));
        if let Some(end) = child.try_wait()? {
            ensure!(end.code() == Some(0), "the report ended with {end}");
            return Ok((started.elapsed().as_secs_f64(), peak_kib));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The kernel's own high-water mark: no sample can miss a peak.
fn high_water_mark_kib(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// A bus that takes every event: what is told to it is not what is measured.
fn serve_bus() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            // A client that goes away is none of ours.
            let _ = answer(socket);
        }
    });
    Ok(address)
}

fn answer(mut socket: TcpStream) -> Result<()> {
    let mut request = Vec::new();
    let head = loop {
        let mut part = [0; 1 << 14];
        let read = socket.read(&mut part)?;
        ensure!(read > 0, "the client went away");
        request.extend_from_slice(&part[..read]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("a length")?.trim().parse()?;
    let mut body = request.split_off(head);
    while body.len() < length {
        let mut part = [0; 1 << 14];
        let read = socket.read(&mut part)?;
        ensure!(read > 0, "the client went away");
        body.extend_from_slice(&part[..read]);
    }
    let entries = String::from_utf8_lossy(&body).matches("\"DetailType\"").count();
    let entries = vec![r#"{"EventId":"e"}"#; entries].join(",");
    let body = format!(
        r#"{{"FailedEntryCount":0,"Entries":[{entries}],"Name":"b","Arn":"arn:aws:events:us-east-1:000000000000:event-bus/b"}}"#
    );
    write!(
        socket,
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

/// Writes a week's files over those of the week before, as wide as the real ones are.
fn write(folder: &Path, size: Size, monday: &'static str, index: u64) -> Result<Week> {
    let week = Week {
        monday,
        assets: folder.join("assets.csv"),
        videos: folder.join("videos.csv"),
        claims: folder.join("claims.csv"),
    };
    let Size { assets, videos, claims } = size;
    let open = |path: &Path| Ok::<_, std::io::Error>(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let mut out = open(&week.assets)?;
    writeln!(
        out,
        "asset_id,custom_id,constituent_asset_id,active_reference_id,inactive_reference_id,approx_daily_views,\
         approx_daily_engaged_views,sr_approx_daily_engaged_views,asset_type,asset_labels,metadata_origination,season,\
         episode_title,tms,active_claims,match_policy,is_merged,conflicting_owner,ownership,conflicting_country_code,\
         display_isrc,your_isrc,other_isrc,isrc,grid,upc,artist,asset_title,label"
    )?;
    // Where an asset is owned is told country by country: that is what makes a row of 2,400 bytes.
    let countries: Vec<String> = (0..740_u32)
        .map(|n| [b'A' + (n / 26 % 26) as u8, b'A' + (n % 26) as u8].into_iter().map(char::from).collect())
        .collect();
    let countries = countries.join("|");
    for n in 0..assets {
        writeln!(
            out,
            "A{n:015},label-{},,ref{:08}|ref{:08},,{},{},{},SOUND_RECORDING,label {},DISTRIBUTOR,,,,{},Monetize in all \
             countries,No,,{countries},,USABC26{:05},USABC26{:05},,USABC26{:05},,0{:011},Artist {},A title of usual length {n},Label {}",
            n % 372,
            n,
            n + assets,
            n % 5_000 + index * (n % 7),
            n % 4_000,
            n % 4_000,
            n % 40,
            n % 64 + index * u64::from(n % 50 == 0),
            n % 100_000,
            n % 100_000,
            n % 100_000,
            n,
            n % 9_000,
            n % 372
        )?;
    }
    out.flush()?;
    let mut out = open(&week.videos)?;
    writeln!(
        out,
        "video_id,channel_id,channel_display_name,time_uploaded,time_published,video_title,video_length,views,comments,\
         video_privacy_status,video_url,category,embedding_allowed,ratings_allowed,comments_allowed,claim_origin,\
         content_type,upload_source,claimed_by_this_owner,claimed_by_another_owner,other_owners_claiming,\
         offweb_syndicatable,claim_id,asset_id,custom_id,effective_policy,third_party_video_id,isrc,eidr,engaged_views"
    )?;
    for n in 0..videos {
        let views = n % 100_000 * 10 + index * (n % 100_000);
        writeln!(
            out,
            "{n:011},UC{:022},Channel {},2019-03-01,2019-03-01,Some artist - a title of the usual length (official video) \
             {n},213,{views},{},PUBLIC,https://www.youtube.com/watch?v={n:011},Music,Yes,Yes,Yes,Audio match,PARTNER_UPLOADED,\
             web,Yes,No,,No,claim{n:011},A{:015},label-{},Monetize,,USABC26{:05},,{}",
            n % 372,
            n % 372,
            n % 90,
            n % assets,
            n % 372,
            n % 100_000,
            views / 2
        )?;
    }
    out.flush()?;
    let mut out = open(&week.claims)?;
    writeln!(
        out,
        "claim_id,channel_id,asset_id,video_id,reference_id,reference_video_id,claim_policy_id,asset_policy_id,custom_id,\
         claim_status,claim_status_detail,claim_origin,claim_type,uploader,channel_display_name,video_title,views,\
         engaged_views,video_matching_length,matching_duration,longest_match,content_type,claim_policy_monetize,\
         claim_policy_track,claim_policy_block,claim_created_date,video_upload_date,video_duration_sec,asset_title,\
         asset_labels,isrc,artist,upc,record_label,is_shorts_eligible"
    )?;
    for n in 0..claims {
        // Some are gone and some are new from week to week, and one in five thousand is disputed.
        let n = n + index * claims / 100;
        let status = if n.is_multiple_of(5_000) { "PENDING,DISPUTED" } else { "ACTIVE," };
        writeln!(
            out,
            "claim{n:011},UC{:022},A{:015},{n:011},ref{:08},,P{:09},P{:09},label-{},{status},Audio match,AUDIO,uploader \
             {},Channel of an uploader {},A video with a title of the usual length {n},{},{},34,34,{},UGC,ALL COUNTRIES,,,\
             2019-11-0{},2019-10-0{},214,A title of usual length {},label {},USABC26{:05},Artist {},0{:011},Label {},No",
            n / 5 + 1_000,
            n % assets,
            n % (claims / 40 + 1),
            n % 50,
            n % 50,
            n % 372,
            n / 5,
            n / 5,
            n % 1_000 + index,
            n % 500,
            n % 200,
            n % 9 + 1,
            n % 9 + 1,
            n % assets,
            n % 40,
            n % 100_000,
            n % 9_000,
            n % assets,
            n % 372
        )?;
    }
    out.flush()?;
    Ok(week)
}

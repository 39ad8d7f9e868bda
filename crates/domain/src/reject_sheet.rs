//! `rejects.csv`: the rows that were not taken, in the input's own columns, each with its reason.
//!
//! Made to be opened, mended and fed back as the next input: the first columns are the input's with their exact
//! bytes, and the two that follow are ignored by the readers. Nothing is neutralised for spreadsheets here, since a
//! changed byte would be a changed id.

use std::io::{self, Write};

/// The columns after the input's own.
pub const ADDED_COLUMNS: [&str; 2] = ["code", "reason"];

/// A writer of rejected rows.
pub struct RejectSheet<W: Write> {
    csv: csv::Writer<W>,
    column_count: usize,
    kept_count: usize,
}

impl<W: Write> RejectSheet<W> {
    /// Begins the sheet with its header. Where the input was itself a sheet of rejects, its old `code` and `reason`
    /// are left out: they are about the run before.
    pub fn new(w: W, headers: &[impl AsRef<[u8]>]) -> io::Result<Self> {
        let kept_count = match headers {
            [kept @ .., code, reason]
                if code.as_ref() == ADDED_COLUMNS[0].as_bytes()
                    && reason.as_ref() == ADDED_COLUMNS[1].as_bytes() =>
            {
                kept.len()
            }
            _ => headers.len(),
        };
        let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(w);
        let names = headers[..kept_count].iter().map(AsRef::as_ref);
        csv.write_record(names.chain(ADDED_COLUMNS.iter().map(|name| name.as_bytes())))?;
        Ok(Self { csv, column_count: headers.len(), kept_count })
    }

    /// Adds a row. A row with a wrong number of fields cannot stand under the header without moving values into
    /// columns they were not written for; it is put whole, as CSV, into the first cell, where no reader takes it for
    /// a good row before somebody has mended it.
    pub fn write(&mut self, fields: &[impl AsRef<[u8]>], code: &str, reason: &str) -> io::Result<()> {
        let whole;
        let cells: Vec<&[u8]> = if fields.len() == self.column_count {
            fields[..self.kept_count].iter().map(AsRef::as_ref).collect()
        } else {
            whole = as_csv_line(fields)?;
            let mut cells: Vec<&[u8]> = vec![b""; self.kept_count];
            if let Some(first) = cells.first_mut() {
                *first = &whole;
            }
            cells
        };
        self.csv.write_record(cells.into_iter().chain([code.as_bytes(), reason.as_bytes()]))?;
        Ok(())
    }

    /// Ends the sheet and gives the writer back, everything flushed.
    pub fn finish(self) -> io::Result<W> {
        self.csv.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

fn as_csv_line(fields: &[impl AsRef<[u8]>]) -> io::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().from_writer(Vec::new());
    csv.write_record(fields)?;
    let mut line = csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
    line.truncate(line.len().saturating_sub(1));
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sheet(headers: &[&str], rows: &[(&[&str], &str, &str)]) -> String {
        let mut sheet = RejectSheet::new(Vec::new(), headers).unwrap();
        for (fields, code, reason) in rows {
            sheet.write(fields, code, reason).unwrap();
        }
        String::from_utf8(sheet.finish().unwrap()).unwrap()
    }

    #[test]
    fn the_inputs_columns_come_first_then_code_and_reason() {
        let text = sheet(&["b", "a"], &[(&["1", "x, \"y\"\nz"], "gone", "it is gone, for good")]);
        insta::assert_snapshot!(text, @r#"
        b,a,code,reason
        1,"x, ""y""
        z",gone,"it is gone, for good"
        "#);
    }

    #[test]
    fn v09_a_row_with_a_wrong_number_of_fields_is_kept_whole_in_the_first_cell() {
        let text = sheet(&["a", "b", "c"], &[(&["1", "2,3"], "wrong_field_count", "2 of 3")]);
        insta::assert_snapshot!(text, @r#"
        a,b,c,code,reason
        "1,""2,3""",,,wrong_field_count,2 of 3
        "#);
    }

    #[test]
    fn the_reasons_of_the_run_before_are_left_out() {
        let text = sheet(&["a", "code", "reason"], &[(&["1", "old", "older"], "new", "newer")]);
        assert_eq!(text, "a,code,reason\n1,new,newer\n");
    }

    #[test]
    fn v15_the_bytes_of_the_input_are_never_changed() {
        let mut sheet = RejectSheet::new(Vec::new(), &["a", "b"]).unwrap();
        sheet.write(&[b"=cmd|' /C calc'!A0".as_slice(), b"\xff\xfe"], "x", "y").unwrap();
        assert_eq!(sheet.finish().unwrap(), b"a,b,code,reason\n=cmd|' /C calc'!A0,\xff\xfe,x,y\n");
    }

    proptest! {
        #[test]
        fn any_cell_comes_back_byte_for_byte(rows in prop::collection::vec(prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..12)), 1..8)) {
            let mut sheet = RejectSheet::new(Vec::new(), &["a", "b", "c"]).unwrap();
            for fields in &rows {
                sheet.write(fields, "code", "reason").unwrap();
            }
            let written = sheet.finish().unwrap();
            let mut reader = csv::Reader::from_reader(written.as_slice());
            let read: Vec<Vec<Vec<u8>>> = reader
                .byte_records()
                .map(|record| record.unwrap().iter().take(3).map(<[u8]>::to_vec).collect())
                .collect();
            prop_assert_eq!(read, rows.iter().map(|fields| fields.to_vec()).collect::<Vec<_>>());
        }
    }
}

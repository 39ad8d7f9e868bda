//! Weekly values of many series, each of one channel.

use std::collections::HashMap;

use super::GAP;

/// Series with their weekly values, week after week: four bytes a value.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    ids: Vec<Box<str>>,
    groups: Vec<Option<u32>>,
    group_ids: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
    weeks: Vec<Vec<f32>>,
}

impl Panel {
    /// A panel of so many weeks, without series.
    pub fn new(weeks: usize) -> Self {
        Self { weeks: vec![Vec::new(); weeks], ..Self::default() }
    }

    /// Adds a series: its values from the first week on, [`GAP`] where it has no row; what is missing at the end is a
    /// gap too, and what is beyond the panel's weeks is not taken. An empty `group` is none.
    pub fn push(&mut self, id: &str, group: &str, values: &[f32]) {
        self.ids.push(id.into());
        let group = (!group.is_empty()).then(|| self.group(group));
        self.groups.push(group);
        for (place, week) in self.weeks.iter_mut().enumerate() {
            week.push(values.get(place).copied().unwrap_or(GAP));
        }
    }

    fn group(&mut self, id: &str) -> u32 {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        let place = u32::try_from(self.group_ids.len()).unwrap_or(u32::MAX);
        self.group_ids.push(id.into());
        self.places.insert(id.into(), place);
        place
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of a series.
    pub fn id(&self, series: usize) -> &str {
        &self.ids[series]
    }

    /// The group of each series.
    pub fn groups(&self) -> &[Option<u32>] {
        &self.groups
    }

    /// The id of a group.
    pub fn group_id(&self, group: u32) -> &str {
        &self.group_ids[group as usize]
    }

    /// The weeks, the values of all series in each.
    pub fn weeks(&self) -> &[Vec<f32>] {
        &self.weeks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_row_ends_in_gaps_and_an_empty_group_is_none() {
        let mut panel = Panel::new(2);
        panel.push("a", "x", &[1.0]);
        panel.push("b", "", &[2.0, 3.0, 4.0]);
        panel.push("c", "x", &[]);
        assert_eq!(panel.groups(), [Some(0), None, Some(0)]);
        assert_eq!((panel.id(2), panel.group_id(0), panel.len()), ("c", "x", 3));
        assert_eq!(panel.weeks()[0][..2], [1.0, 2.0]);
        assert!(panel.weeks()[1][0].is_nan() && panel.weeks()[0][2].is_nan());
    }
}

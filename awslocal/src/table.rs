//! `--output table`: boxes for human readers, which no script parses.
//!
//! An object is a box of names and values; a list of objects is a box with a line for each. Nested
//! values follow in separate boxes.

use std::fmt::Write as _;

use serde_json::Value;

use super::output::{is_simple, word};

/// Lines of text in a box.
struct Section {
    title: String,
    /// The column names if each row is an object; empty if each row is a name and a value, or a
    /// value.
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Returns a value as boxes below each other.
pub(super) fn draw(title: &str, value: &Value) -> String {
    let mut sections = Vec::new();
    section(title, value, &mut sections);
    let mut text = String::new();
    for section in &sections {
        section.draw(&mut text);
    }
    text
}

fn section(title: &str, value: &Value, sections: &mut Vec<Section>) {
    let title = title.to_owned();
    match value {
        Value::Object(members) => {
            let simple = members.iter().filter(|(_, value)| is_simple(value));
            let rows: Vec<_> =
                simple.map(|(name, value)| vec![name.clone(), word(value)]).collect();
            sections.push(Section { title, heads: Vec::new(), rows });
            for (name, value) in members.iter().filter(|(_, value)| !is_simple(value)) {
                section(name, value, sections);
            }
        }
        Value::Array(values) if values.iter().all(Value::is_object) && !values.is_empty() => {
            let mut heads: Vec<String> = Vec::new();
            let objects = || values.iter().filter_map(Value::as_object);
            for (name, value) in objects().flatten() {
                if is_simple(value) && !heads.contains(name) {
                    heads.push(name.clone());
                }
            }
            let cell = |value: Option<&Value>| value.map(word).unwrap_or_default();
            let rows = objects()
                .map(|object| heads.iter().map(|name| cell(object.get(name))).collect())
                .collect();
            sections.push(Section { title, heads, rows });
            for (name, value) in objects().flatten().filter(|(_, value)| !is_simple(value)) {
                section(name, value, sections);
            }
        }
        Value::Array(values) => {
            let row = |value: &Value| match value.as_array() {
                Some(cells) => cells.iter().map(word).collect(),
                None => vec![word(value)],
            };
            let rows = values.iter().map(row).collect();
            sections.push(Section { title, heads: Vec::new(), rows });
        }
        simple => {
            sections.push(Section { title, heads: Vec::new(), rows: vec![vec![word(simple)]] });
        }
    }
}

impl Section {
    fn draw(&self, text: &mut String) {
        let lines = || self.rows.iter().chain((!self.heads.is_empty()).then_some(&self.heads));
        let columns = lines().map(Vec::len).max().unwrap_or(0).max(1);
        let length = |cell: &String| cell.chars().count();
        // Two spaces on both sides of the longest cell.
        let mut widths: Vec<usize> = (0..columns)
            .map(|column| lines().filter_map(|line| line.get(column)).map(length).max())
            .map(|longest| longest.unwrap_or(0) + 4)
            .collect();
        let bars = columns - 1;
        let missing = (length(&self.title) + 4).saturating_sub(widths.iter().sum::<usize>() + bars);
        if let Some(last) = widths.last_mut() {
            *last += missing;
        }
        let inner = widths.iter().sum::<usize>() + bars;
        let dashes: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let rule = format!("+{}+", dashes.join("+"));
        let line = |cells: &[String]| {
            let cells = widths.iter().enumerate().map(|(column, width)| {
                let cell = cells.get(column).map_or("", String::as_str);
                format!("  {cell:<width$}", width = width - 2)
            });
            format!("|{}|", cells.collect::<Vec<_>>().join("|"))
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{}\n|{:^inner$}|\n{rule}", "-".repeat(inner + 2), self.title);
        if !self.heads.is_empty() {
            let _ = writeln!(text, "{}\n{rule}", line(&self.heads));
        }
        for row in &self.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        if !self.rows.is_empty() {
            let _ = writeln!(text, "{rule}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_and_lists_are_boxes_of_one_width() {
        let answer = json!({"Topics": [{"TopicArn": "t"}, {"TopicArn": "a longer one"}]});
        let list = "\
------------------
|     Topics     |
+----------------+
|  TopicArn      |
+----------------+
|  t             |
|  a longer one  |
+----------------+
";
        let drawn = draw("ListTopics", &answer);
        assert!(drawn.ends_with(list), "{drawn}");
        for answer in
            [answer, json!({"A": "1", "Long": "ü", "B": {"c": [1, 2]}}), json!([["a", "b"], ["c"]])]
        {
            for section in draw("Title", &answer).split_inclusive("+\n") {
                let widths: Vec<_> = section.lines().map(|line| line.chars().count()).collect();
                assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{section}");
            }
        }
        let attributes = draw("GetQueueAttributes", &json!({"Attributes": {"DelaySeconds": "0"}}));
        assert!(attributes.contains("|  DelaySeconds  |  0  |"), "{attributes}");
    }
}

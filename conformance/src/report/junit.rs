//! JUnit XML, as continuous integration reads it.

use super::{Finding, Report, Verdict};

impl Report {
    /// A test suite for each group, a test case for each finding.
    pub fn to_junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        for group in self.groups() {
            let [passed, failed, known, unchecked] = self.counts(Some(group));
            let skipped = known + unchecked;
            let all = passed + failed + skipped;
            xml.push_str(&format!(
                "  <testsuite name=\"{group}\" tests=\"{all}\" failures=\"{failed}\" skipped=\"{skipped}\">\n"
            ));
            let findings = self.findings.iter();
            for finding in findings.filter(|finding| finding.group == group) {
                xml.push_str(&finding.to_junit());
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

impl Finding {
    fn to_junit(&self) -> String {
        let name = escaped(&format!("{} [{}]", self.promise, self.rules.join(" ")));
        let class = format!("{}.{}", self.group, self.transport);
        let case = format!(
            "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{:.3}\"",
            self.seconds
        );
        match &self.verdict {
            Verdict::Passed => format!("{case}/>\n"),
            Verdict::Failed { why, transcript } => format!(
                "{case}><failure message=\"{}\">{}</failure></testcase>\n",
                escaped(why),
                escaped(transcript)
            ),
            Verdict::Known { why } => {
                let why = escaped(&format!("known to differ: {why}"));
                format!("{case}><skipped message=\"{why}\"/></testcase>\n")
            }
            Verdict::NotChecked { why } => {
                let why = escaped(why);
                format!("{case}><skipped message=\"{why}\"/></testcase>\n")
            }
        }
    }
}

/// Text in XML; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

//! Counts the words of the files of a folder, with the standard library alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Result;
use std::time::Instant;

fn main() -> Result<()> {
    let begun = Instant::now();
    let mut counts = BTreeMap::<String, usize>::new();
    let mut names = Vec::new();
    for entry in fs::read_dir("/")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            for word in fs::read_to_string(&path)?.split_whitespace() {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
            names.push(path);
        }
    }
    let kept: Vec<Vec<u8>> = (0..24).map(|number| vec![number; 1 << 20]).collect();
    let sum: usize = kept.iter().map(|piece| usize::from(piece[0])).sum();
    let lines: Vec<String> = counts.iter().map(|(word, times)| format!("{word} {times}")).collect();
    fs::create_dir("/made")?;
    fs::write("/made/counts", lines.join("\n"))?;
    fs::rename("/made/counts", "/counts")?;
    fs::remove_dir("/made")?;
    let again = fs::read_to_string("/counts")?;
    let missing = fs::read("/none").map_err(|error| error.kind());
    println!("{} {} {sum} {missing:?}", names.len(), again.lines().count());
    println!("time goes on: {}", begun.elapsed().as_nanos() > 0);
    Ok(())
}

import Core

/// Reads a duration as `300ms`, `1.5h`, `2h45m`, `-1h` or `0`; nil for anything else.
func parseDuration(_ text: String) -> Duration? { ShortDuration.seconds(text).map { .seconds($0) } }

extension Catalog {
    /// The value of a setting that is made once and stands for good: `fresh`, unless there is one. Several servers may
    /// ask at the same time, and get the same.
    package func standing(_ name: String, else fresh: @autoclosure () -> String) throws -> String {
        if let known = try read({ try $0.setting(name) }) { return known }
        return try write { writer in
            if let known = try writer.setting(name) { return known }
            let value = fresh()
            try writer.setSetting(name, to: value)
            return value
        }
    }
}

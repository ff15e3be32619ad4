#if PostgreSQL
    import Core

    /// One row says which collection of garbage is under way, at what step, and whose it is; each server writes beside
    /// its own name what it has answered. A row whose server is lost stays as it is until another one takes it over: it
    /// may still be at work, on what all had agreed to.
    extension PostgresPresence {
        static let collectionMoved = "collection"

        static func collection(_ connection: PostgresConnection) throws -> SharedCollection {
            try connection.execute("SELECT number, step, collector FROM spile_collection", []) { answer in
                let row = try answer.row(0)
                return SharedCollection(
                    number: row[0], step: SharedCollection.Step(rawValue: row[1]) ?? .over,
                    collector: UInt64(row[2] as Int64))
            }
        }

        /// What is written for an answer to a step: it grows with each.
        private static func token(_ collection: SharedCollection) -> Int64 {
            collection.number * 4 + collection.step.rawValue
        }

        /// Changes the row, and tells everybody if it is another one then.
        private func change(
            _ body: (_ known: SharedCollection, _ connection: PostgresConnection) throws -> SharedCollection
        ) throws -> SharedCollection {
            let connection = try PostgresConnection(address)
            try connection.execute("SET statement_timeout TO '5s'; BEGIN")
            try connection.execute("SELECT number FROM spile_collection FOR UPDATE", []) { _ in }
            let known = try Self.collection(connection)
            let next = try body(known, connection)
            if next == known { return next }
            try connection.execute(
                "UPDATE spile_collection SET number = ?, step = ?, collector = ?",
                [next.number, next.step.rawValue, Int64(next.collector)]) { _ in }
            try connection.execute("NOTIFY \(PostgresTurn.channel), '\(Self.collectionMoved)'; COMMIT")
            return next
        }

        func beginCollection() throws -> SharedCollection {
            try change { known, connection in
                if known.step != .over, known.collector != number {
                    let place: String? = try connection.execute(
                        "SELECT place FROM spile_servers WHERE number = ? AND \(Self.here)",
                        [Int64(known.collector), lease]
                    ) { $0.count == 0 ? nil : try $0.row(0)[0] }
                    if let place {
                        throw SpileError(
                            .unavailable, "garbage is being collected already, by the server at \(place)",
                            remedy: "retry when that has ended")
                    }
                }
                return SharedCollection(number: known.number + 1, step: .noting, collector: number)
            }
        }

        func step(_ collection: SharedCollection, to step: SharedCollection.Step) throws -> SharedCollection {
            try change { known, _ in
                guard known.number == collection.number, known.collector == number else {
                    throw SpileError(.aborted, "another server has taken the collection of garbage over")
                }
                return SharedCollection(number: collection.number, step: step, collector: number)
            }
        }

        func answers(to collection: SharedCollection) throws -> [Pointer]? {
            // Whoever is lost writes nothing any more, and need not be asked.
            _ = try giveUpAbsent()
            let connection = try PostgresConnection(address)
            let answers: [(answered: Int64, made: String)] = try connection.execute(
                "SELECT answered, made FROM spile_servers WHERE NOT ended AND number <> ?", [own]
            ) { answer in
                try (0..<answer.count).map { index in
                    let row = try answer.row(index)
                    return (row[0], row[1])
                }
            }
            guard answers.allSatisfy({ $0.answered == Self.token(collection) }) else { return nil }
            return answers.flatMap { Self.pointers($0.made) }
        }

        func answer(_ collection: SharedCollection, made: [Pointer]) throws {
            let text = made.map { "\($0.segment):\($0.slot)" }.joined(separator: " ")
            let connection = try PostgresConnection(address)
            try connection.execute(
                "UPDATE spile_servers SET answered = ?, made = ? WHERE number = ?",
                [Self.token(collection), text, own]) { _ in }
        }

        private static func pointers(_ text: String) -> [Pointer] {
            text.split(separator: " ").compactMap { word in
                let parts = word.split(separator: ":")
                guard parts.count == 2, let segment = UInt64(parts[0]), let slot = UInt32(parts[1]) else { return nil }
                return Pointer(segment: segment, slot: slot)
            }
        }
    }
#endif

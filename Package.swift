// swift-tools-version:6.1
import PackageDescription

// The house (docs/ARCHITECTURE.md): what a target may import is exactly what stands in its `dependencies` here,
// and Tests/ArchitectureTests fails on any other import.
let package = Package(
    name: "spile",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "spile", targets: ["spile"]),
        .executable(name: "spile-bench", targets: ["Bench"]),
    ],
    traits: [
        // libpq cannot be linked statically with all that it needs: without it the server is one static binary.
        .trait(name: "PostgreSQL", description: "The catalog can be in PostgreSQL (needs libpq).")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", "4.5.2"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "Core",
            dependencies: [.product(name: "Yams", package: "Yams")]
        ),
        // Calls of the C library's allocator, which its Swift module does not show.
        .target(name: "CAllocator"),
        // The client library of PostgreSQL, where the trait asks for it.
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        // Starting a program in a mount table of its own: between clone and exec no Swift may run.
        .target(name: "CSpawn"),
        .target(
            name: "Storage",
            dependencies: [
                "Core",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Collections", package: "swift-collections"),
            ],
            // The tests cut and hash gigabytes: unoptimised vector code would take them a quarter of an hour.
            swiftSettings: [.unsafeFlags(["-O"], .when(configuration: .debug))]
        ),
        .target(
            name: "Versioning", dependencies: ["Storage", "Core", .product(name: "Logging", package: "swift-log")]),
        .target(
            name: "Pipelines",
            dependencies: ["Versioning", "Core", .product(name: "Logging", package: "swift-log")]
        ),
        .target(
            name: "Backends",
            dependencies: [
                "Core", "CSpawn",
                .target(name: "CPostgreSQL", condition: .when(traits: ["PostgreSQL"])),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                // Requests to S3 stores are signed, cached blocks are checked.
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .target(
            name: "API",
            dependencies: [
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
            ]
        ),
        .target(
            name: "Server",
            dependencies: [
                "Pipelines", "Versioning", "Storage", "Backends", "API", "Core", "CAllocator",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]
        ),
        .executableTarget(
            name: "spile",
            dependencies: [
                "Server", "API", "Core",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        .target(name: "Simulation", dependencies: ["Pipelines", "Versioning", "Storage", "Core"]),
        // A target of this package, not a package of its own: the rooms open to their package only.
        .executableTarget(
            name: "Bench",
            dependencies: [
                "Core", "Storage", "Versioning", "Backends", "API",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Benchmarks/Bench"
        ),

        // What tests of several rooms share beside Simulation: it starts programs and reads the clock.
        .target(name: "TestHelpers", dependencies: ["Core"], path: "Tests/Helpers"),
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "CoreTests", dependencies: ["Core"]),
        .testTarget(name: "StorageTests", dependencies: ["Storage", "Simulation", "Core", "Backends"]),
        .testTarget(
            name: "VersioningTests", dependencies: ["Versioning", "Storage", "Simulation", "Core", "Backends"]),
        .testTarget(
            name: "PipelinesTests",
            dependencies: ["Pipelines", "Versioning", "Simulation", "Core", "Backends", "TestHelpers"]
        ),
        .testTarget(
            name: "BackendsTests",
            dependencies: [
                "Backends", "CSpawn", "Server", "Simulation", "Versioning", "Storage", "Core", "TestHelpers",
                // The S3 store of the tests checks signatures itself.
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "API", "Core", "Simulation",
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]
        ),
        .testTarget(name: "CommandTests", dependencies: ["spile"]),
    ],
    swiftLanguageModes: [.v6]
)
